package operation

import (
	"fmt"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Describe says in one plain sentence what an operation does to each object. Text of its caller stands there quoted.
func Describe(op job.Operation) string {
	if o, ok := op.(interface{ describe() string }); ok {
		return o.describe()
	}
	return "Does " + job.Quote(op.Name()) + " to each object."
}

func (r *Restore) describe() string {
	trust := ""
	if r.TrustInventory {
		trust = " Objects that the inventory lists in another class fail without a call."
	}
	if r.IntelligentTiering {
		return fmt.Sprintf("Asks for each object in an archive tier of intelligent tiering to be made readable, in the %s tier.%s", r.Tier, trust)
	}
	return fmt.Sprintf("Asks for a copy of each archived object that can be read for %s, in the %s tier.%s", count(r.Days, "day"), r.Tier, trust)
}

func (d *Delete) describe() string {
	return "Deletes each object, or the version that its row names; in a bucket with versions a row without a version only puts a delete marker on top."
}

func (c *Copy) describe() string {
	says := []string{"Copies each object to the bucket " + string(c.TargetBucket) + inRegion(c.TargetRegion) + c.describeKey()}
	if c.StorageClass != "" {
		says = append(says, "in the class "+strings.ToUpper(c.StorageClass))
	}
	if c.SSE != "" {
		says = append(says, "encrypted with "+c.SSE)
	}
	says = append(says,
		"with "+described(c.metadataDirective(), "metadata", describeMetadata(c.NewMetadata.User, emptyMetadata(c.NewMetadata))),
		"with "+described(c.taggingDirective(), "tags", describeTags(c.NewTags)))
	switch d := c.aclDirective(); {
	case d == "":
		says = append(says, "with the store's default access rights")
	default:
		says = append(says, "with "+described(d, "access rights", c.describeACL()))
	}
	if !c.IfModifiedSince.IsZero() {
		says = append(says, "if it was modified after "+c.IfModifiedSince.UTC().Format(time.RFC3339))
	}
	if !c.IfUnmodifiedSince.IsZero() {
		says = append(says, "if it was not modified after "+c.IfUnmodifiedSince.UTC().Format(time.RFC3339))
	}
	if c.verifies() {
		says = append(says, "and looks at each copy, by "+string(c.Verify))
	}
	return strings.Join(says, ", ") + "."
}

func inRegion(r job.Region) string {
	if r == "" {
		return ""
	}
	return " in " + string(r)
}

func (c *Copy) describeKey() string {
	from, to := job.Quote(c.PrefixFrom), job.Quote(c.PrefixTo)
	switch {
	case !c.PrefixReplace || c.PrefixFrom == c.PrefixTo:
		return " under its own key"
	case c.PrefixFrom == "":
		return " with " + to + " before its key"
	case c.PrefixTo == "":
		return " without " + from + " at the start of its key"
	}
	return " with " + to + " in place of " + from + " at the start of its key"
}

// described says where a part of a copy comes from; given is "" when there is nothing of it.
func described(d Directive, what, given string) string {
	switch {
	case d == DirectiveReplace && given == "":
		return "no " + what
	case d == DirectiveReplace:
		return given + " in place of its " + what
	case d == DirectiveAdd && given != "":
		return "its own " + what + " and " + given
	}
	return "its own " + what
}

func describeMetadata(user map[string]string, empty bool) string {
	switch {
	case empty:
		return ""
	case len(user) == 0:
		return "new headers"
	}
	return count(len(user), "new metadata entry")
}

func describeTags(tags []job.Tag) string {
	names := make([]string, len(tags))
	for i, t := range tags {
		names[i] = job.Quote(t.Key + "=" + t.Value)
	}
	switch len(tags) {
	case 0:
		return ""
	case 1:
		return "the tag " + names[0]
	}
	return "the tags " + strings.Join(names, " ")
}

func (c *Copy) describeACL() string {
	if c.CannedACL != "" {
		return "the list " + c.CannedACL
	}
	return count(len(c.Grants), "grant")
}

func (g *Tagging) describe() string {
	tags := describeTags(g.Tags)
	switch {
	case tags == "":
		return "Takes all tags away from each object."
	case g.Directive == DirectiveAdd:
		return "Adds " + tags + " to those of each object."
	}
	return "Gives each object " + tags + " in place of all its tags."
}

func count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "y") && !strings.HasSuffix(what, "ay"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(what, "y"))
	}
	return fmt.Sprintf("%d %ss", n, what)
}
