package httpwire

import (
	"context"
	"encoding/xml"
	"iter"
	"net/url"
	"strconv"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// maxPage is the most that stores give in one page.
const maxPage = 1000

// maxEmpty is how many pages without a row may follow each other, as they do where much was deleted.
const maxEmpty = 1000

// xmlList is a page of any kind of listing.
type xmlList struct {
	XMLName     xml.Name
	Encoding    string     `xml:"EncodingType"`
	Truncated   bool       `xml:"IsTruncated"`
	Token       string     `xml:"NextContinuationToken"` // version 2
	Marker      string     `xml:"NextMarker"`            // version 1
	KeyMarker   string     `xml:"NextKeyMarker"`         // versions
	VersionMark string     `xml:"NextVersionIdMarker"`
	Contents    []xmlEntry `xml:"Contents"`
	Rows        []xmlEntry `xml:",any"` // Version and DeleteMarker, in their order; all else is passed over
}

type xmlEntry struct {
	XMLName      xml.Name
	Key          string `xml:"Key"`
	Version      string `xml:"VersionId"`
	Latest       bool   `xml:"IsLatest"`
	Size         int64  `xml:"Size"`
	ETag         string `xml:"ETag"`
	LastModified string `xml:"LastModified"`
	Class        string `xml:"StorageClass"`
	Owner        struct {
		ID string `xml:"ID"`
	} `xml:"Owner"`
}

// List implements object.Lister: by ListObjectsV2 on s3, by GET Bucket (version 1, the only one of COS) on cos, and by the
// versions listing on both. A page that does not lead on from the one before it ends the listing with an error.
func (c *Client) List(ctx context.Context, b job.Bucket, o object.ListOptions) iter.Seq2[object.ListEntry, error] {
	return func(yield func(object.ListEntry, error) bool) {
		l := &lister{c: c, bucket: b, o: o, marker: string(o.StartAfter)}
		for {
			entries, more, err := l.page(ctx)
			if err != nil {
				yield(object.ListEntry{}, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

// lister is where a listing stands.
type lister struct {
	c      *Client
	bucket job.Bucket
	o      object.ListOptions

	token       string // version 2
	marker      string // version 1 and versions: the last key
	versionMark string
	last        job.Key // of the pages so far
	some        bool    // there was a row
	empty       int
}

func (l *lister) request() *request {
	rq := l.c.onBucket("List", "GET", l.bucket)
	size := l.o.PageSize
	if size <= 0 || size > maxPage {
		size = maxPage
	}
	rq.param("encoding-type", "url")
	rq.param("max-keys", strconv.Itoa(size))
	if l.o.Prefix != "" {
		rq.param("prefix", l.o.Prefix)
	}
	add := func(name, value string) {
		if value != "" {
			rq.param(name, value)
		}
	}
	switch {
	case l.o.Versions:
		rq.param("versions", "")
		add("key-marker", l.marker)
		add("version-id-marker", l.versionMark)
	case l.c.d.cos:
		add("marker", l.marker)
	default:
		rq.param("list-type", "2")
		rq.param("fetch-owner", "true")
		add("continuation-token", l.token)
		if l.token == "" {
			add("start-after", l.marker)
		}
	}
	return rq
}

func (l *lister) page(ctx context.Context) (_ []object.ListEntry, more bool, _ error) {
	rq := l.request()
	var x xmlList
	parse := decode(&x)
	rq.check = func(c *Client, rq *request, a *response) *object.Error {
		if e := parse(c, rq, a); e != nil {
			return e
		}
		if x.XMLName.Local == "Error" {
			return c.failure(rq, a, a.data)
		}
		return nil
	}
	a, err := l.c.call(ctx, rq)
	if err != nil {
		return nil, false, err
	}
	entries, e := l.entries(&x)
	if e == "" && x.Truncated {
		e = l.advance(&x, entries)
	}
	if e != "" {
		bad := badAnswer(rq, a, "%s", e)
		bad.Class = object.Permanent
		return nil, false, bad
	}
	return entries, x.Truncated, nil
}

// entries turns a page's rows into the port's; the string says what is wrong with it.
func (l *lister) entries(x *xmlList) ([]object.ListEntry, string) {
	rows := x.Contents
	if l.o.Versions {
		rows = x.Rows
	}
	entries := make([]object.ListEntry, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		marker := r.XMLName.Local == "DeleteMarker"
		if l.o.Versions && !marker && r.XMLName.Local != "Version" {
			continue
		}
		key, ok := unescape(x, r.Key)
		if !ok {
			return nil, "A key in the store's listing is not URL-encoded as the listing says."
		}
		e := object.ListEntry{
			Key: job.Key(key), DeleteMarker: marker, Size: r.Size, ETag: unquote(r.ETag),
			LastModified: parseXMLTime(r.LastModified), Class: r.Class, Owner: r.Owner.ID,
		}
		if l.o.Versions {
			e.Version, e.IsLatest = job.Version(r.Version), r.Latest
		}
		if e.Class == "" && !marker {
			e.Class = "STANDARD"
		}
		entries = append(entries, e)
	}
	if len(entries) > 0 {
		last := entries[len(entries)-1].Key
		if l.some && (last < l.last || last == l.last && !l.o.Versions) {
			return nil, "The store's listing goes back: a page ends before the page before it did."
		}
		l.some, l.last = true, last
	}
	return entries, ""
}

// advance moves on to the next page; the string says why there is none.
func (l *lister) advance(x *xmlList, entries []object.ListEntry) string {
	const stuck = "The store's listing does not advance: a page names itself as the next one."
	l.empty++
	if len(entries) > 0 {
		l.empty = 0
	}
	if l.empty > maxEmpty {
		return "The store's listing does not advance: too many pages without a row."
	}
	if !l.o.Versions && !l.c.d.cos {
		if x.Token == "" || x.Token == l.token {
			return stuck
		}
		l.token = x.Token
		return ""
	}
	raw, version := x.Marker, ""
	if l.o.Versions {
		raw, version = x.KeyMarker, x.VersionMark
	}
	marker, ok := unescape(x, raw)
	if !ok {
		return "The next page's marker in the store's listing is not URL-encoded as the listing says."
	}
	// Version 1 leaves NextMarker out where the last key serves.
	if marker == "" && len(entries) > 0 {
		last := entries[len(entries)-1]
		marker, version = string(last.Key), string(last.Version)
	}
	if marker == "" || marker == l.marker && version == l.versionMark || marker < l.marker {
		return stuck
	}
	l.marker, l.versionMark = marker, version
	return ""
}

// unescape decodes a key of a page with encoding-type=url, in which a plus sign is a blank.
func unescape(x *xmlList, s string) (string, bool) {
	if x.Encoding != "url" {
		return s, true
	}
	d, err := url.QueryUnescape(s)
	return d, err == nil
}
