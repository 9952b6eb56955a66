package probe

import (
	"context"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/object"
)

// archives are the classes that are read after a restore only (AWS S3 API, RestoreObject; Tencent Cloud 436/12633).
var archives = []string{"GLACIER", "ARCHIVE", "DEEP_ARCHIVE", "MAZ_ARCHIVE"}

// classChecks try each class, and whether a listing names it.
func classChecks(classes []string) []check {
	var all []check
	for _, class := range classes {
		all = append(all, check{
			"class-" + class, keepsClass(class),
			"Objects meant for " + class + " lie, and cost, in another class." + lostQuiet,
			"Copies into " + class + " fail.",
		})
	}
	return append(all, check{
		"list-class", listsClass,
		"Inventories of this store name wrong classes: a restore job must not trust them.",
		"Inventories of this store cannot be made.",
	})
}

// keepsClass tries a class, and remembers the first of each kind for the trials that need one.
func keepsClass(class string) func(context.Context, *prober) error {
	return func(ctx context.Context, p *prober) error {
		r, _, err := p.put(ctx, object.PutRequest{Class: class})
		if err != nil {
			return err
		}
		if err := p.hasClass(ctx, r, class); err != nil {
			return err
		}
		switch archive := slices.Contains(archives, strings.ToUpper(class)); {
		case archive && p.cold == "":
			p.cold = class
		case !archive && p.warm == "":
			p.warm = class
		}
		return nil
	}
}

func (p *prober) hasClass(ctx context.Context, r object.Ref, want string) error {
	info, err := p.head(ctx, r)
	if err == nil && !strings.EqualFold(info.Class, want) {
		return ignoredf("the class is %q and not %s", info.Class, want)
	}
	return err
}

// anyClass is a class beside STANDARD that the store was found to keep; one that is read at once, if it may.
func (p *prober) anyClass() (string, error) {
	switch {
	case p.warm != "":
		return p.warm, nil
	case p.cold != "":
		return p.cold, nil
	}
	return "", unknownf("the store was found to keep no class beside STANDARD")
}

func listsClass(ctx context.Context, p *prober) error {
	class, err := p.anyClass()
	if err != nil {
		return err
	}
	r := p.at("class/listed")
	if _, err := p.putAt(ctx, r, object.PutRequest{Class: class}, body); err != nil {
		return needs("storing an object to list", err)
	}
	entries, err := p.list(ctx, object.ListOptions{Prefix: "class/"})
	if err != nil {
		return err
	}
	if len(entries) != 1 || !strings.EqualFold(entries[0].Class, class) {
		return ignoredf("an object in %s is listed as %v", class, classesOf(entries))
	}
	return nil
}

func classesOf(entries []object.ListEntry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Class)
	}
	return all
}
