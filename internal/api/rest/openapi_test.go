package rest

import (
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

type schema struct {
	Ref        string `yaml:"$ref"`
	Required   []string
	Properties map[string]schema
	Items      *schema
	Enum       []string
}

type document struct {
	OpenAPI    string `yaml:"openapi"`
	Paths      map[string]map[string]any
	Components struct {
		Schemas map[string]schema
	}
}

func parseOpenAPI(t *testing.T) document {
	t.Helper()
	var d document
	if err := yaml.Unmarshal(openAPI, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenAPINamesEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	d := parseOpenAPI(t)
	if !strings.HasPrefix(d.OpenAPI, "3.1.") {
		t.Errorf("openapi %q", d.OpenAPI)
	}
	want := []string{"GET " + openAPIPath}
	for _, rt := range routes {
		want = append(want, rt.method+" "+rt.path)
	}
	var got []string
	for path, item := range d.Paths {
		for method := range item {
			if method != "parameters" {
				got = append(got, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-routes +openapi.yaml):\n%s", diff)
	}
}

// The schemas have the very fields of the client's types; those that JSON never leaves out are required.
func TestOpenAPIDescribesTheClientsTypes(t *testing.T) {
	t.Parallel()
	d := parseOpenAPI(t)
	for _, v := range []any{
		client.Spec{},
		client.Manifest{},
		client.Operation{},
		client.Copy{},
		client.Grant{},
		client.Metadata{},
		client.Tag{},
		client.Restore{},
		client.Delete{},
		client.Tagging{},
		client.Report{},
		client.Job{},
		client.Account{},
		client.Progress{},
		client.CodeCount{},
		client.Failure{},
		client.Event{},
		client.JobList{},
		client.Retry{},
		client.Work{},
		client.Segment{},
		client.SegmentFile{},
		client.ReportFiles{},
		client.ReportFile{},
		client.Reason{},
		client.Priority{},
		client.Limits{},
		client.Hours{},
		client.Error{},
		client.Generator{},
		client.Place{},
		client.ObjectFilter{},
		client.ACL{},
		client.Owner{},
		client.Tags{},
		client.NewRole{},
		client.Role{},
		client.Credential{},
		client.NewPrincipal{},
		client.Principal{},
		client.Roles{},
		client.Principals{},
		client.Engine{},
		client.EngineStream{},
		client.EnginePeer{},
		client.EngineNode{},
		client.EngineDisk{},
		client.EngineWorker{},
		client.Region{},
		client.Regions{},
		client.LeastPolicy{},
		client.Policy{},
	} {
		typ := reflect.TypeOf(v)
		s, ok := d.Components.Schemas[typ.Name()]
		if !ok {
			t.Errorf("no schema %s", typ.Name())
			continue
		}
		var fields, required []string
		for _, f := range reflect.VisibleFields(typ) {
			if f.Anonymous {
				continue
			}
			tag := f.Tag.Get("json")
			name, rest, _ := strings.Cut(tag, ",")
			fields = append(fields, name)
			if !strings.Contains(rest, "omit") {
				required = append(required, name)
			}
		}
		var described []string
		for name := range s.Properties {
			described = append(described, name)
		}
		sorted := cmp.Transformer("sort", func(s []string) []string { return slices.Sorted(slices.Values(s)) })
		if diff := cmp.Diff(fields, described, sorted); diff != "" {
			t.Errorf("%s (-type +openapi.yaml):\n%s", typ.Name(), diff)
		}
		if diff := cmp.Diff(required, s.Required, sorted); diff != "" {
			t.Errorf("%s required (-type +openapi.yaml):\n%s", typ.Name(), diff)
		}
	}
}

func TestOpenAPIKnowsTheDomainsWords(t *testing.T) {
	t.Parallel()
	d := parseOpenAPI(t)
	var statusNames []string
	for _, s := range job.Statuses() {
		statusNames = append(statusNames, string(s))
	}
	if diff := cmp.Diff(statusNames, d.Components.Schemas["Status"].Enum); diff != "" {
		t.Errorf("statuses (-domain +openapi.yaml):\n%s", diff)
	}
	codes := d.Components.Schemas["Error"].Properties["code"].Enum
	for code := range statuses {
		if p := problem("", job.Errorf(code, "x")); !slices.Contains(codes, p.Code) {
			t.Errorf("code %s is not in openapi.yaml", p.Code)
		}
	}
}

// Every reference in the document leads somewhere.
func TestOpenAPIReferencesResolve(t *testing.T) {
	t.Parallel()
	var root map[string]any
	if err := yaml.Unmarshal(openAPI, &root); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				at := any(root)
				for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
					m, _ := at.(map[string]any)
					at = m[part]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(root)
}

func TestOpenAPIIsServedToEverybody(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	resp, err := http.Get(w.url + openAPIPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/yaml" || string(b) != string(openAPI) {
		t.Errorf("%s %s %v", resp.Status, resp.Header.Get("Content-Type"), err)
	}
}

// docs/api.md shows every route, and every code with its status.
func TestDocsShowTheAPI(t *testing.T) {
	t.Parallel()
	docs := read(t, "../../../docs/api.md")
	for _, rt := range routes {
		row := "| `" + rt.method + " " + rt.path
		if !strings.Contains(docs, row+"`") && !strings.Contains(docs, row+"?") {
			t.Errorf("%s %s is not there", rt.method, rt.path)
		}
	}
	_, table, _ := strings.Cut(docs, "| code | HTTP |")
	for code := range statuses {
		p := problem("", job.Errorf(code, "x"))
		found := false
		for line := range strings.SplitSeq(table, "\n") {
			found = found || strings.Contains(line, p.Code) && strings.HasSuffix(line, " "+strconv.Itoa(p.Status)+" |")
		}
		if !found {
			t.Errorf("%s %d is not there", p.Code, p.Status)
		}
	}
}
