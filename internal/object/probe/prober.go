package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// body is what the objects hold.
const body = "drover probe"

// sse is the encryption that every store with one knows.
const sse = "AES256"

// prober is one probe under way. One goroutine owns it.
type prober struct {
	s         object.Store
	bucket    job.Bucket
	prefix    string
	versioned bool
	keys      []job.Key // all that may have been made, to be removed
	n         int
	warm      string // a class beside STANDARD that is kept and read at once; "" = none was found
	cold      string // an archive class that is kept
}

// begin stores a first object, whose answer tells whether the bucket keeps versions.
func (p *prober) begin(ctx context.Context) error {
	_, r, err := p.put(ctx, object.PutRequest{})
	p.versioned = r.Version != "" && r.Version != "null"
	return err
}

// ref names a new object under the prefix.
func (p *prober) ref() object.Ref {
	p.n++
	return p.at(fmt.Sprintf("o%03d", p.n))
}

// at names an object under the prefix, to be removed at the end.
func (p *prober) at(name string) object.Ref {
	r := object.Ref{Bucket: p.bucket, Key: job.Key(p.prefix + name)}
	p.keys = append(p.keys, r.Key)
	return r
}

// put stores a new object like q.
func (p *prober) put(ctx context.Context, q object.PutRequest) (object.Ref, object.PutResult, error) {
	r := p.ref()
	result, err := p.putAt(ctx, r, q, body)
	return r, result, err
}

func (p *prober) putAt(ctx context.Context, r object.Ref, q object.PutRequest, body string) (object.PutResult, error) {
	q.Bucket, q.Key, q.Body, q.Size = r.Bucket, r.Key, strings.NewReader(body), int64(len(body))
	return p.s.Put(ctx, q)
}

// source stores an object for a trial that is about something else.
func (p *prober) source(ctx context.Context, q object.PutRequest) (object.Ref, error) {
	r, _, err := p.put(ctx, q)
	return r, needs("storing an object to try it on", err)
}

// copy copies an object to a new one, as change would have it.
func (p *prober) copy(ctx context.Context, from object.Ref, change func(c *object.CopyRequest)) (object.Ref, error) {
	to := p.ref()
	c := object.CopyRequest{Source: from, Bucket: to.Bucket, Key: to.Key}
	if change != nil {
		change(&c)
	}
	_, err := p.s.Copy(ctx, c)
	return to, err
}

func (p *prober) head(ctx context.Context, r object.Ref) (object.Info, error) {
	i, err := p.s.Head(ctx, r)
	return i, looks("looking at the object", err)
}

func (p *prober) tags(ctx context.Context, r object.Ref) ([]object.Tag, error) {
	tags, err := p.s.Tags(ctx, r)
	if object.CodeOf(err) == "NoSuchTagSet" {
		return nil, nil
	}
	return tags, looks("reading the tags", err)
}

func (p *prober) acl(ctx context.Context, r object.Ref) (object.ACL, error) {
	acl, err := p.s.ACL(ctx, r)
	return acl, looks("reading the access list", err)
}

func (p *prober) read(ctx context.Context, r object.Ref) (string, error) {
	rc, _, err := p.s.Get(ctx, r, 0, -1)
	if err != nil {
		return "", looks("reading the object", err)
	}
	b, err := io.ReadAll(io.LimitReader(rc, 1<<10))
	return string(b), looks("reading the object", errors.Join(err, rc.Close()))
}

// holds compares an object's body.
func (p *prober) holds(ctx context.Context, r object.Ref, want string) error {
	got, err := p.read(ctx, r)
	if err == nil && got != want {
		return ignoredf("the object holds %q, and not %q", got, want)
	}
	return err
}

// list gives what lies below a prefix of the probe's own, and nothing else whatever the store says.
func (p *prober) list(ctx context.Context, o object.ListOptions) ([]object.ListEntry, error) {
	o.Prefix = p.prefix + o.Prefix
	var all []object.ListEntry
	for e, err := range p.s.List(ctx, p.bucket, o) {
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(string(e.Key), o.Prefix) {
			return nil, ignoredf("a listing of the prefix %s names the key %q", o.Prefix, e.Key) // and it must not be removed
		}
		all = append(all, e)
		if len(all) > maxListed {
			return nil, fmt.Errorf("a listing of %s goes on after %d entries", o.Prefix, maxListed)
		}
	}
	return all, nil
}

// maxListed is more than a probe makes: a listing that is longer does not end.
const maxListed = 5000

// clean removes all that was made, and looks whether it is gone.
func (p *prober) clean(ctx context.Context) error {
	if !p.versioned {
		for _, k := range p.keys {
			_, _ = p.s.Delete(ctx, object.Ref{Bucket: p.bucket, Key: k}) // what stays is found below
		}
	}
	for _, o := range []object.ListOptions{{Versions: true}, {}} {
		entries, _ := p.list(ctx, o) // a store without versions may refuse to list them
		for _, e := range entries {
			_, _ = p.s.Delete(ctx, object.Ref{Bucket: p.bucket, Key: e.Key, Version: e.Version})
		}
	}
	left, err := p.list(ctx, object.ListOptions{Versions: p.versioned})
	if err != nil {
		return fmt.Errorf("look whether anything is left under %s%s: %w", p.bucket, "/"+p.prefix, err)
	}
	if len(left) > 0 {
		return fmt.Errorf("%d objects of the probe could not be removed; they lie in the bucket %s under %s", len(left), p.bucket, p.prefix)
	}
	return nil
}
