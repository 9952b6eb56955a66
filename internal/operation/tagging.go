package operation

import (
	"context"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Tagging sets each object's tags: Replaced puts the set in place of what is there, Add merges it in, a new value
// winning over an old one.
type Tagging struct {
	Directive Directive // Replaced or Add; "" is Replaced
	Tags      []job.Tag // at most 10; Replaced with an empty list that is not nil takes all tags away
}

// Name implements job.Operation.
func (g *Tagging) Name() string { return "tagging" }

// Validate implements job.Operation. The fields are named as in COS's request (436/33786).
func (g *Tagging) Validate() error {
	var p job.Problems
	switch {
	case g.Directive != "" && g.Directive != DirectiveReplace && g.Directive != DirectiveAdd:
		p.Addf("TaggingDirective", "%s is no directive for tags in place; use Replaced or Add.", job.Quote(string(g.Directive)))
	case g.Tags == nil, g.Directive == DirectiveAdd && len(g.Tags) == 0:
		p.Addf("TagSet", "is missing; give 1–%d tags.", maxTags)
	}
	checkTags(&p, "TagSet", g.Tags)
	return p.Err()
}

// Apply implements Operation.
func (g *Tagging) Apply(ctx context.Context, s object.Store, t Task) job.Outcome {
	if t.Entry.DeleteMarker {
		return marker("which has no tags.")
	}
	if ctx.Err() != nil {
		return job.Outcome{}
	}
	status, err := g.put(ctx, s, ref(t.Entry))
	if err != nil {
		return hints(nil).failed(ctx, err)
	}
	return job.Succeeded(status, "")
}

func (g *Tagging) put(ctx context.Context, s object.Tagger, r object.Ref) (int, error) {
	tags := g.Tags
	if g.Directive == DirectiveAdd {
		old, err := readTags(ctx, s, r)
		if err != nil {
			return 0, during("reading the object's tags", err)
		}
		if tags, err = mergeTags(old, g.Tags); err != nil {
			return 0, err
		}
	}
	if len(tags) == 0 {
		return s.DeleteTags(ctx, r)
	}
	return s.PutTags(ctx, r, tags)
}
