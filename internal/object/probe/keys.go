package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/object"
)

// oddKeys are ends of keys that servers, proxies and signers are known to mix up.
var oddKeys = []struct{ name, end string }{
	{"plus", "a+b"},
	{"percent", "a%2Fb"},
	{"unicode", "é/日本語/😀"},
	{"dots", "a/../b"},
	{"double-slash", "a//b"},
	{"trailing-slash", "a/"},
	{"control-byte", "a\x01b"},
}

func keyChecks() []check {
	var all []check
	for i, k := range oddKeys {
		all = append(all, check{
			"key-" + k.name, keepsKey(fmt.Sprintf("key/%d/", i), fmt.Sprintf("key-copy/%d/", i), k.end),
			"Objects with such keys are stored under others, or overwrite one another; tasks on them are reported as succeeded.",
			"Tasks on objects with such keys fail.",
		})
	}
	return append(all, check{
		"list-order", listsInOrder,
		"Inventories of this store may miss objects or name them twice.",
		"Inventories of this store cannot be made.",
	})
}

// keepsKey stores and copies an object under an odd key, each in a folder of its own, and looks for them.
func keepsKey(folder, copies, end string) func(context.Context, *prober) error {
	return func(ctx context.Context, p *prober) error {
		from, to := p.at(folder+end), p.at(copies+end)
		if _, err := p.putAt(ctx, from, object.PutRequest{}, body); err != nil {
			return err
		}
		if err := p.holds(ctx, from, body); err != nil {
			return err
		}
		if _, err := p.s.Copy(ctx, object.CopyRequest{Source: from, Bucket: to.Bucket, Key: to.Key}); err != nil {
			return err
		}
		for _, in := range []string{folder, copies} {
			if err := p.isListed(ctx, in, end); err != nil {
				return err
			}
		}
		return p.holds(ctx, to, body)
	}
}

// isListed looks for one key in a folder, and that it is alone there.
func (p *prober) isListed(ctx context.Context, folder, end string) error {
	entries, err := p.list(ctx, object.ListOptions{Prefix: folder})
	if err != nil {
		return looks("listing the object", err)
	}
	if got := p.ends(entries, folder); !slices.Equal(got, []string{end}) {
		return ignoredf("the key's end %q is listed as %q", end, got)
	}
	return nil
}

// ends cuts a folder off listed keys.
func (p *prober) ends(entries []object.ListEntry, folder string) []string {
	var all []string
	for _, e := range entries {
		all = append(all, strings.TrimPrefix(string(e.Key), p.prefix+folder))
	}
	return all
}

func listsInOrder(ctx context.Context, p *prober) error {
	const folder = "order/"
	// The last two are the other way round when they are compared as UTF-16.
	keys := []string{"B", "a", "a-b", "a/b", "a0", "b", "é", "\uff21", "\U0001f600"}
	for _, k := range keys {
		if _, err := p.putAt(ctx, p.at(folder+k), object.PutRequest{}, body); err != nil {
			return needs("storing objects to list", err)
		}
	}
	entries, err := p.list(ctx, object.ListOptions{Prefix: folder, PageSize: 4})
	if err != nil {
		return err
	}
	if got := p.ends(entries, folder); !slices.Equal(got, keys) {
		return ignoredf("the keys' ends %q are listed as %q", keys, got)
	}
	entries, err = p.list(ctx, object.ListOptions{Prefix: folder, StartAfter: p.at(folder + "a/b").Key})
	if err != nil {
		return err
	}
	if got := p.ends(entries, folder); !slices.Equal(got, keys[4:]) {
		return ignoredf("behind %q are listed %q", "a/b", got)
	}
	return nil
}
