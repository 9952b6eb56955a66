package console

import (
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// wizardPage is a step of the wizard as it is shown.
type wizardPage struct {
	frame
	Step    int
	Steps   []wizardStep
	Hidden  []pair
	General []string
	Notice  string
	Preview *preview
	Browser *browser
	Columns []choice
	Example []pair
	Review  *review
	Done    string
	Role    *newRole // a role that can be made at this step; nil = none can
	Sources string   // the buckets that its policy speaks of
	JobTags []rowView
	Limits  limitsForm

	Grants, Metadata, Tags, SetTags []rowView

	form form
	errs map[string]string
	l    language
	page *wizard
}

type wizardStep struct {
	Number        int
	Text          string
	Now, Finished bool
}

// choice is a group of radio buttons or a select.
type choice struct {
	Name, Label, Hint, Error string
	Options                  []option
}

type option struct {
	Value, Text, Hint string
	Chosen            bool
}

// input is one line to type into.
type input struct {
	Name, Label, Hint, Error, Value, Type, List string
}

// rowView is a row of an editor of two columns.
type rowView struct {
	First, Second string
	Options       []option // of a select in the second
}

// review is the last step.
type review struct {
	Plain   string
	Effects []string
	Cards   []reviewCard
	Command string
	APIs    []definitionText
	Start   bool
}

type reviewCard struct {
	Step   int
	Title  string
	Fields []pair
}

func (w *wizard) render(status int) error {
	l := w.c.lang
	p := wizardPage{
		frame: w.s.frame(w.c, l.t("Create Job"), menuJobs), Step: w.step, Hidden: w.f.hidden(w.step), General: w.general, Notice: w.notice,
		Preview: w.preview, Browser: w.browser, form: w.f, errs: w.errs, l: l, page: w,
	}
	p.Crumbs = w.s.jobCrumbs(w.c, "")
	for i, text := range []string{l.t("Inventory"), l.t("Job type"), l.t("Configuration"), l.t("Review")} {
		p.Steps = append(p.Steps, wizardStep{Number: i + 1, Text: text, Now: i+1 == w.step, Finished: i+1 < w.step})
	}
	switch w.step {
	case 1:
		p.Columns = w.columns()
	case 2:
		p.Grants = w.rows("grant-id", "grant-permission", 2)
		for i := range p.Grants {
			p.Grants[i].Options = pick(p.Grants[i].Second, option{Value: "READ", Text: "READ"}, option{Value: "READ_ACP", Text: "READ_ACP"},
				option{Value: "WRITE_ACP", Text: "WRITE_ACP"}, option{Value: "FULL_CONTROL", Text: "FULL_CONTROL"})
		}
		p.Metadata = w.rows("metadata-name", "metadata-value", 3)
		p.Tags, p.SetTags = w.rows("tag-key", "tag-value", 3), w.rows("set-key", "set-value", 3)
		p.Example = w.example()
	case 3:
		p.JobTags, p.Done = w.rows("job-tag-key", "job-tag-value", 2), w.done
		p.Limits = l.limitsForm(w.f, w.errs, w.more)
		if err := w.offerRole(&p); err != nil {
			return err
		}
	case lastStep:
		var err error
		if p.Review, err = w.review(); err != nil {
			return err
		}
	}
	w.s.render(w.c, status, "wizard", p)
	return nil
}

// rows gives the filled rows of an editor and some empty ones.
func (w *wizard) rows(first, second string, empty int) []rowView {
	var out []rowView
	for _, r := range w.f.rows(first, second) {
		if first == "grant-id" && r.Name == "" {
			continue
		}
		out = append(out, rowView{First: r.Name, Second: r.Value})
	}
	if w.more {
		empty += 5
	}
	return append(out, make([]rowView, max(empty-len(out), 1))...)
}

// fewColumns are the columns that can be named without a job that has more of them.
const fewColumns = 8

// columns are the selects for a CSV's columns.
func (w *wizard) columns() []choice {
	l := w.c.lang
	var out []choice
	columns := w.f.Values["column"]
	for i := range max(fewColumns, len(columns)) {
		value := ""
		if i < len(columns) {
			value = columns[i]
		}
		out = append(out, choice{Name: "column", Label: l.t("Column %s", number(int64(i+1))), Options: pick(value,
			option{Value: "", Text: "–"}, option{Value: "Bucket", Text: "Bucket"}, option{Value: "Key", Text: "Key"},
			option{Value: "VersionId", Text: "VersionId"}, option{Value: "Ignore", Text: "Ignore"})})
	}
	return out
}

func pick(value string, options ...option) []option {
	for i := range options {
		options[i].Chosen = options[i].Value == value
	}
	return options
}

// example shows on the first objects of the list what becomes of their keys.
func (w *wizard) example() []pair {
	if w.preview == nil {
		if w.f.Get("preview-role") == "" || w.f.text("manifest-key") == "" {
			return nil
		}
		p, err := w.s.look(w.c, w.f, w.f.Get("preview-role"))
		if err != nil {
			return nil // an example is not worth an error
		}
		w.preview = p
	}
	var problems job.Problems
	op, ok := w.f.operation(w.c.lang, &problems).(*operation.Copy)
	if !ok {
		return nil
	}
	var out []pair
	for _, key := range w.preview.keys[:min(len(w.preview.keys), 3)] {
		to := string(key)
		if rest, ok := strings.CutPrefix(to, op.PrefixFrom); ok && op.PrefixReplace {
			to = op.PrefixTo + rest
		}
		out = append(out, pair{Name: shortened(string(key), 80), Value: shortened(to, 80)})
	}
	return out
}

func (w *wizard) review() (*review, error) {
	l := w.c.lang
	spec, _ := w.f.spec(l, w.c.caller.Account)
	r := &review{Start: w.f.Get("start") == "yes"}
	if spec.Operation == nil {
		return r, nil
	}
	r.Plain, r.Effects = w.s.plainWords(w.c, spec)
	third := append([]pair{{Name: l.t("Job Description"), Value: visible(spec.Description)}, {Name: l.t("Job Priority"), Value: number(int64(spec.Priority))}},
		l.settings(spec)...)
	for _, t := range spec.Tags {
		third = append(third, pair{l.t("Job tags"), visible(t.Key + "=" + t.Value), true})
	}
	r.Cards = []reviewCard{
		{1, l.t("Inventory"), l.list(spec)},
		{2, l.t("Job type"), w.operationFields(spec.Operation)},
		{3, l.t("Configuration"), third},
	}
	if text, err := command(spec, w.s.o.Default); err == nil {
		r.Command = text
	}
	r.APIs = w.s.definitions(spec)
	return r, nil
}

// offerRole puts the form of a new role into the third step, with the least policy for the job.
func (w *wizard) offerRole(p *wizardPage) error {
	if w.s.o.Access == nil {
		return nil
	}
	f, sources, err := w.leastRole()
	if err != nil {
		return err
	}
	open := w.role != nil
	if open {
		least := f.policy
		if f = *w.role; f.policy == "" {
			f.policy = least
		}
	}
	for i, b := range sources {
		if i > 0 {
			p.Sources += ", "
		}
		p.Sources += visible(string(b))
	}
	p.Role, err = w.s.newRole(w.c, f)
	if p.Role != nil {
		p.Role.Open = open || w.f.Get("role") == "" && len(p.roles()) == 0
	}
	return err
}

// operationFields is an operation as a table, in the words of the form.
func (w *wizard) operationFields(op job.Operation) []pair {
	l := w.c.lang
	p := wizardPage{form: w.f, l: l, page: w}
	out := []pair{{Name: l.t("Job type"), Value: l.operationText(op)}}
	given := func(name, value string) {
		if value != "" {
			out = append(out, pair{name, visible(value), true})
		}
	}
	chosen := func(names ...string) {
		for _, name := range names {
			c := p.Choice(name)
			for _, o := range c.Options {
				if o.Chosen {
					out = append(out, pair{Name: c.Label, Value: o.Text})
				}
			}
		}
	}
	switch op := op.(type) {
	case *operation.Copy:
		out = append(out, pair{l.t("Destination Bucket"), visible(string(op.TargetBucket)), true})
		given(l.t("Destination region"), string(op.TargetRegion))
		chosen("prefix")
		if op.PrefixReplace {
			out = append(out, pair{Name: l.t("Prefix"), Value: job.Quote(op.PrefixFrom) + " → " + job.Quote(op.PrefixTo), Mono: true})
		}
		chosen("class", "sse")
		given(l.t("Key of the encryption"), op.SSEKey)
		chosen("acl")
		given(l.t("Canned list"), op.CannedACL)
		for _, g := range op.Grants {
			given(l.t("Permission"), g.Permission+" "+g.Grantee.ID+g.Grantee.URI)
		}
		chosen("metadata")
		for _, r := range metadataRows(op.NewMetadata) {
			given(l.t("Object Metadata"), r.Name+": "+r.Value)
		}
		chosen("tags")
		for _, t := range op.NewTags {
			given(l.t("Object Tag"), t.Key+"="+t.Value)
		}
		for _, name := range []string{"since", "until"} {
			in := p.Input(name)
			given(in.Label, in.Value)
		}
		chosen("verify")
	case *operation.Restore:
		chosen("tier", "wait")
		out = append(out, pair{Name: l.t("Validity"), Value: l.t("%s days", number(int64(op.Days)))})
	case *operation.Tagging:
		chosen("tagging")
		for _, t := range op.Tags {
			given(l.t("Object Tag"), t.Key+"="+t.Value)
		}
	}
	return out
}

// Input gives a line of the form.
func (p wizardPage) Input(name string) input {
	l := p.l
	in := map[string]input{
		"manifest-bucket":  {Label: l.t("Inventory Bucket"), Hint: l.t("The bucket that holds the list. It lies in the job's region.")},
		"manifest-key":     {Label: l.t("Inventory File Path"), Hint: l.t("Of a COS inventory report its manifest.json; else the CSV file.")},
		"manifest-etag":    {Label: l.t("ETag of the file (optional)"), Hint: l.t("Asked from the store where the role may read the file. The job runs with this very file only.")},
		"manifest-version": {Label: l.t("Version of the file"), Hint: l.t("Empty: its latest one.")},
		"sse-key":          {Label: l.t("Key of the encryption"), Hint: l.t("As the key management service names it. Empty: the account's own.")},
		"target-bucket":    {Label: l.t("Destination Bucket"), Hint: l.t("The bucket for the copies. It may be the source.")},
		"prefix-from":      {Label: l.t("Source prefix"), Hint: l.t("Keys that do not begin with it stay as they are.")},
		"prefix-to":        {Label: l.t("Target prefix")},
		"since":            {Label: l.t("Only if modified since"), Hint: "2026-01-02T15:04:05Z"},
		"until":            {Label: l.t("Only if not modified since"), Hint: "2026-01-02T15:04:05Z"},
		"days":             {Label: l.t("Validity (days)"), Hint: l.t("1–365. After so many days the restored copies are deleted."), Type: "number"},
		"description":      {Label: l.t("Job Description (optional)"), Hint: l.t("At most 256 bytes.")},
		"priority":         {Label: l.t("Job Priority"), Hint: l.t("A positive integer. A larger number runs first."), Type: "number"},
		"report-bucket":    {Label: l.t("Report bucket")},
		"report-prefix":    {Label: l.t("Report path")},
	}[name]
	in.Name, in.Value, in.Error = name, p.form.Get(name), p.errs[name]
	if in.Type == "" {
		in.Type = "text"
	}
	return in
}

// Choice gives a group of radio buttons or a select of the form.
func (p wizardPage) Choice(name string) choice {
	l := p.l
	c := choice{Name: name, Error: p.errs[name]}
	var all []option
	add := func(value, text, hint string) { all = append(all, option{Value: value, Text: text, Hint: hint}) }
	regions := func() {
		known := p.form.Get(name) == ""
		for _, r := range p.page.s.o.Regions {
			add(string(r.Name), string(r.Name), "")
			known = known || string(r.Name) == p.form.Get(name)
		}
		if !known { // of a job that there was before the configuration changed
			add(p.form.Get(name), visible(p.form.Get(name)), "")
		}
	}
	three := func(label, copyAll, replaceAll, addTo string) {
		c.Label = label
		add("copy", copyAll, "")
		add("replace", replaceAll, "")
		add("add", addTo, "")
	}
	switch name {
	case "region":
		c.Label, c.Hint = l.t("Job Region"), l.t("It must be the region of the buckets that the list names.")
		regions()
	case "format":
		c.Label = l.t("Inventory Format")
		add("inventory", l.t("COS inventory report"), l.t("Its manifest.json says which columns there are. That of an S3 inventory is taken too."))
		add("csv", l.t("CSV"), l.t("Keys are URL-encoded. Each row has exactly the columns named below."))
	case "operation":
		c.Label = l.t("Job type")
		add("copy", l.t("Batch data copy"), "")
		add("restore", l.t("Restore archived objects in batches"), "")
		add("delete", l.t("Delete objects in batches"), "")
		add("tagging", l.t("Tag objects in batches"), "")
	case "target-region":
		c.Label = l.t("Destination region")
		add("", l.t("As the job"), "")
		regions()
	case "report-region":
		c.Label = l.t("Region of the report")
		add("", l.t("As the job"), "")
		regions()
	case "plus":
		c.Label = l.t("A plus sign in a key")
		add("keep", l.t("is a plus sign"), l.t("As in the CSV of COS."))
		add(plusSpace, l.t("is a blank"), l.t("As in the CSV of the S3 API."))
	case "prefix":
		c.Label = l.t("Prefix Operation")
		add("none", l.t("None"), "")
		add("add", l.t("Add a prefix"), "")
		add("replace", l.t("Replace the prefix"), "")
		add("delete", l.t("Delete the prefix"), "")
	case "class":
		c.Label = l.t("Storage Class")
		for _, class := range []string{"STANDARD", "STANDARD_IA", "ARCHIVE", "DEEP_ARCHIVE"} {
			add(class, class, "")
		}
		if v := p.form.Get("class"); v != "" && !strings.Contains(" STANDARD STANDARD_IA ARCHIVE DEEP_ARCHIVE ", " "+v+" ") {
			add(v, visible(v), "")
		}
	case "verify":
		c.Label = l.t("Look at each copy afterwards")
		add("", l.t("No"), "")
		add("head", l.t("Size, metadata, tags, class"), l.t("Up to four calls more for each copy."))
		add("checksum", l.t("The bytes too"), l.t("By the ETags where both are MD5s, else by reading both objects."))
	case "sse":
		c.Label = l.t("Server-Side Encryption")
		add("none", l.t("None"), "")
		add("AES256", "SSE-COS", "")
		if v := p.form.Get("sse"); byKMS(v) {
			add(v, v, "")
		}
	case "acl":
		three(l.t("Access Permission"), l.t("Copy all permissions"), l.t("Replace all permissions"), l.t("Add permissions"))
		add("default", l.t("As the bucket"), "")
	case "acl-list":
		c.Label = l.t("Canned list")
		add("", l.t("None: the grants below"), "")
		add("private", "private", "")
		add("public-read", "public-read", "")
	case "metadata":
		three(l.t("Object Metadata"), l.t("Copy all metadata"), l.t("Replace all metadata"), l.t("Add metadata"))
	case "tags":
		three(l.t("Object Tag"), l.t("Copy all tags"), l.t("Replace all tags"), l.t("Add tags"))
	case "tagging":
		c.Label = l.t("Tags")
		add("replace", l.t("Replace all tags"), "")
		add("add", l.t("Add tags"), "")
	case "tier":
		c.Label = l.t("Restoration Mode")
		add("Standard", l.t("Standard"), l.t("ARCHIVE 3–5 hours, DEEP_ARCHIVE 12–24 hours"))
		add("Bulk", l.t("Bulk"), l.t("ARCHIVE 5–12 hours, DEEP_ARCHIVE 24–48 hours"))
	case "wait":
		c.Label = l.t("An object's task ends")
		add("", l.t("When the store has taken the request"), l.t("The job ends within minutes or hours; the objects can be read later."))
		add("yes", l.t("When the object can be read"), l.t("The job looks again and again, for days if need be, and its report says which can be read."))
	case "report":
		c.Label = l.t("Job Report")
		add("yes", l.t("Yes"), "")
		add("no", l.t("No"), "")
	case "report-scope":
		c.Label = l.t("Tasks in the report")
		add("AllTasks", l.t("All tasks"), "")
		add("FailedTasksOnly", l.t("Failed tasks only"), "")
	case "role", "preview-role":
		c.Label, c.Hint = l.t("CAM Role"), l.t("The job reads, writes and reports with this role's rights.")
		if name == "preview-role" {
			c.Label, c.Hint = l.t("Browse and preview as"), l.t("The list is read with this role's rights, never with the server's.")
		}
		add("", l.t("Choose a role"), "")
		all = append(all, p.roles()...)
	}
	c.Options = pick(p.form.Get(name), all...)
	return c
}

// roles are those that the caller may pass. A list that cannot be had is as good as an empty one: the service refuses.
func (p wizardPage) roles() []option {
	roles, err := p.page.s.roles(p.page.c)
	if err != nil {
		return nil
	}
	var out []option
	for _, r := range roles {
		out = append(out, option{Value: r.ARN, Text: r.ARN})
	}
	return out
}

// ManyRegions reports whether there is a region to choose.
func (p wizardPage) ManyRegions() bool { return len(p.page.s.o.Regions) > 1 }

// Given reports whether an input has a value: those that few jobs need are shown only then.
func (p wizardPage) Given(name string) bool { return p.form.Get(name) != "" }

// ByKMS reports whether the copies are encrypted with a key.
func (p wizardPage) ByKMS() bool { return byKMS(p.form.Get("sse")) }

// Error gives what is wrong with an input.
func (p wizardPage) Error(name string) string { return p.errs[name] }
