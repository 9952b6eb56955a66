package localstore

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	maxDeletes  = 1000 // keys in one DeleteObjects
	deleteWidth = 32   // of them at once, so that they share commits
)

func (c *call) deleteObject() error {
	var allowed func(*version) error
	if m := c.r.Header.Get("If-Match"); m != "" {
		allowed = onlyETag(m)
	}
	out, err := c.s.remove(c.bucket, c.key, c.query["versionid"], allowed)
	if err != nil {
		return err
	}
	c.set("Version-Id", out.version)
	if out.marker {
		c.set("Delete-Marker", "true")
	}
	return c.done(http.StatusNoContent)
}

// onlyETag lets a delete pass when what it meets has the ETag.
func onlyETag(want string) func(*version) error {
	return func(v *version) error {
		if v == nil || v.Marker {
			return errNoSuchKey
		}
		if !matchETag(want, v.ETag) {
			return errPrecondition
		}
		return nil
	}
}

func (c *call) deleteObjects() error {
	var in deleteIn
	if err := c.parse(&in); err != nil {
		return err
	}
	nameless := func(o deleteObjectIn) bool { return o.Key == "" }
	if len(in.Objects) == 0 || len(in.Objects) > maxDeletes || slices.ContainsFunc(in.Objects, nameless) {
		return errMalformedXML
	}
	if _, err := c.s.bucket(c.bucket); err != nil {
		return err
	}
	results := make([]func(*deleteOut), len(in.Objects))
	var g errgroup.Group
	g.SetLimit(deleteWidth)
	for i, o := range in.Objects {
		g.Go(func() (err error) {
			results[i], err = c.deleteOne(o, in.Quiet)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var out deleteOut
	for _, add := range results {
		add(&out)
	}
	return c.xml("DeleteResult", out)
}

// deleteOne deletes one key of DeleteObjects and tells what to add to the answer.
func (c *call) deleteOne(o deleteObjectIn, quiet bool) (func(*deleteOut), error) {
	at := time.Now()
	var allowed func(*version) error
	if o.ETag != "" {
		allowed = onlyETag(o.ETag)
	}
	did, err := c.s.remove(c.bucket, o.Key, o.VersionID, allowed)
	if err == nil {
		c.s.log.record(at, c.op, c.bucket, o.Key, http.StatusNoContent, c.id)
		d := deletedOut{Key: o.Key, VersionID: o.VersionID, DeleteMarker: did.marker}
		if did.marker {
			d.DeleteMarkerVersionID = did.version
		}
		return func(out *deleteOut) {
			if !quiet {
				out.Deleted = append(out.Deleted, d)
			}
		}, nil
	}
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		return nil, err
	}
	c.s.log.record(at, c.op, c.bucket, o.Key, e.status, c.id)
	return func(out *deleteOut) {
		out.Error = append(out.Error, deleteErrorOut{Key: o.Key, VersionID: o.VersionID, Code: e.code, Message: e.message})
	}, nil
}
