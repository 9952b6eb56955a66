//go:build !race

// Under the race detector sync.Pool drops what it is given now and then.

package httpwire

import (
	"context"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

// The calls that jobs consist of allocate nothing but the strings that they give back.
func TestHotCallsAllocateNothing(t *testing.T) {
	tags := []object.Tag{{Key: "team", Value: "blue"}, {Key: "kind", Value: "photo"}}
	key := ref
	for _, v := range []struct {
		name string
		most float64
		call func(ctx context.Context, c *Client) error
	}{
		{"copy", 0, func(ctx context.Context, c *Client) error { _, err := c.Copy(ctx, copyOf()); return err }},
		{"copy under conditions", 0, func(ctx context.Context, c *Client) error {
			r := copyOf()
			r.Class, r.MetadataDirective, r.Meta.ContentType = "STANDARD_IA", object.DirectiveReplace, "text/plain"
			r.IfMatch, r.IfModifiedSince = "e", time.Unix(1e9, 0)
			_, err := c.Copy(ctx, r)
			return err
		}},
		{"head", 1, func(ctx context.Context, c *Client) error { _, err := c.Head(ctx, key); return err }},
		{"delete", 0, func(ctx context.Context, c *Client) error { _, err := c.Delete(ctx, key); return err }},
		{"restore", 0, func(ctx context.Context, c *Client) error {
			_, err := c.Restore(ctx, object.RestoreRequest{Ref: key, Days: 3, Tier: "Standard"})
			return err
		}},
		{"put tags", 0, func(ctx context.Context, c *Client) error { _, err := c.PutTags(ctx, key, tags); return err }},
	} {
		for _, d := range []Dialect{S3, COS} {
			t.Run(string(d)+"/"+v.name, func(t *testing.T) {
				o := Options{Endpoint: "http://127.0.0.1:1", Dialect: d, Region: "us-east-1", MaxAttempts: 1, Credentials: static("AK", "SK")}
				c, err := Open(o)
				if err != nil {
					t.Fatal(err)
				}
				c.wire.put(&conn{
					w: c.wire, key: poolKey{addr: "127.0.0.1:1"}, nc: &loopConn{},
					since: time.Now(), old: time.Now().Add(time.Hour),
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				got := testing.AllocsPerRun(200, func() {
					if err := v.call(ctx, c); err != nil {
						t.Fatal(err)
					}
				})
				if got > v.most {
					t.Errorf("%v allocations, want at most %v", got, v.most)
				}
			})
		}
	}
}
