package localstore

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// copySource is the object that a copy reads.
type copySource struct {
	bucket, key, version string
}

// copySource reads x-amz-copy-source (bucket/key) or x-cos-copy-source (host/key), both percent-encoded, with the version
// behind ?versionId=. A plus sign is a plus sign.
func (c *call) copySource() (copySource, error) {
	bad := errInvalidArgument.because("The copy source must be bucket/key (COS: host/key), percent-encoded, with an optional ?versionId=.")
	text := strings.TrimPrefix(c.header("Copy-Source"), "/")
	var src copySource
	const named = "versionid=" // in upper or lower case
	if at := strings.LastIndexByte(text, '?'); at >= 0 && len(text)-at > len(named) && strings.EqualFold(text[at+1:at+1+len(named)], named) {
		src.version = text[at+1+len(named):]
		text = text[:at]
	}
	var err1, err2 error
	text, err1 = url.PathUnescape(text)
	src.version, err2 = url.PathUnescape(src.version)
	place, key, ok := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	src.bucket, src.key = place, key
	if ok && c.d.cos() {
		src.bucket, ok = hostBucket(place, true)
	}
	if err1 != nil || err2 != nil || !ok || src.bucket == "" || src.key == "" {
		return src, bad
	}
	return src, nil
}

// loadSource loads the copy's source, holding it against the conditions and its archive state.
func (c *call) loadSource(src copySource) (v *version, b *body, release func(), err error) {
	v, b, release, err = c.s.load(src.bucket, src.key, src.version)
	if err != nil {
		return nil, nil, nil, err
	}
	if err = c.sourceCondition(v); err == nil && !c.s.readable(src.bucket, v) {
		err = errObjectArchived.with("storage-class", v.class())
	}
	if err != nil {
		release()
		return nil, nil, nil, err
	}
	if bucket, err := c.s.bucket(src.bucket); err == nil && bucket.Versioning != "" {
		c.set("Copy-Source-Version-Id", v.id())
	}
	return v, b, release, nil
}

// sourceCondition answers 412 whenever a condition does not hold, also when If-Modified-Since lies in the future (AWS S3
// API, CopyObject).
func (c *call) sourceCondition(v *version) error {
	modified := v.modified().Truncate(time.Second)
	if m := c.header("Copy-Source-If-Match"); m != "" {
		if !matchETag(m, v.ETag) {
			return errPrecondition
		}
	} else if t, err := http.ParseTime(c.header("Copy-Source-If-Unmodified-Since")); err == nil && modified.After(t) {
		return errPrecondition
	}
	if m := c.header("Copy-Source-If-None-Match"); m != "" {
		if matchETag(m, v.ETag) {
			return errPrecondition
		}
	} else if t, err := http.ParseTime(c.header("Copy-Source-If-Modified-Since")); err == nil && !modified.After(t) {
		return errPrecondition
	}
	return nil
}

// replaces reads a directive: COPY or REPLACE, in COS Copy or Replaced.
func (c *call) replaces(name string) (bool, error) {
	switch v := strings.ToUpper(c.header(name)); v {
	case "", "COPY":
		return false, nil
	case "REPLACE", "REPLACED":
		return true, nil
	default:
		return false, errInvalidArgument.because("%s%s must be COPY or REPLACE (COS: Copy or Replaced).", strings.ToLower(c.d.prefix), strings.ToLower(name))
	}
}

func (c *call) copyObject() error {
	src, err := c.copySource()
	if err != nil {
		return err
	}
	if _, err := c.s.bucket(c.bucket); err != nil {
		return err
	}
	allowed, err := c.writeCondition()
	if err != nil {
		return err
	}
	from, b, release, err := c.loadSource(src)
	if err != nil {
		return err
	}
	defer release()
	if from.Size > maxUpload {
		return errInvalidRequest.because("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120.")
	}
	v, err := c.copied(src, from)
	if err != nil {
		return err
	}
	if v.Sum, err = c.copiedSum(from, b); err != nil {
		return err
	}
	staged, err := c.s.blobs.duplicate(b)
	if err != nil {
		return err
	}
	v.Segments = staged.segments
	if err := c.s.put(c.bucket, v, staged, allowed); err != nil {
		return err
	}
	c.describeNew(v)
	out := copyOut{ETag: v.quotedETag(), LastModified: xmlTime(v.modified())}
	if c.d.cos() {
		out.CRC64 = strconv.FormatUint(v.CRC64, 10)
		out.VersionID = c.w.Header().Get(c.d.prefix + "Version-Id")
	} else {
		out.checksumsOut = v.Sum.elements()
	}
	return c.xml("CopyObjectResult", out)
}

// copied is the new version that a copy makes, but for its body. The class, encryption and access list are the request's,
// whatever the source has.
func (c *call) copied(src copySource, from *version) (*version, error) {
	newMeta, err := c.replaces("Metadata-Directive")
	if err != nil {
		return nil, err
	}
	newTags, err := c.replaces("Tagging-Directive")
	if err != nil {
		return nil, err
	}
	a, err := c.attributes()
	if err != nil {
		return nil, err
	}
	classChanges := c.header("Storage-Class") != "" && a.Class != from.Class
	sseChanges := a.SSE != "" && a.SSE != from.SSE
	self := src.bucket == c.bucket && src.key == c.key && src.version == ""
	if self && !newMeta && !newTags && !classChanges && !sseChanges {
		return nil, errSelfCopy
	}
	if !newMeta {
		a.Head, a.User = from.Head, from.User
	}
	if !newTags {
		a.Tags = from.Tags
	}
	return &version{
		Key: c.key, Modified: c.s.now().UnixNano(), Size: from.Size, ETag: from.ETag, CRC64: from.CRC64, Parts: from.Parts,
		attributes: a,
	}, nil
}

// copiedSum is the copy's checksum: the source's, or one that the request asks for.
func (c *call) copiedSum(from *version, b *body) (*checksum, error) {
	algo := c.askedAlgorithm()
	if algo == "" || from.Sum != nil && from.Sum.Algorithm == algo {
		return from.Sum, nil
	}
	newHash, ok := algorithms[algo]
	if !ok {
		return nil, errInvalidRequest.because("The checksum algorithm %q is unknown.", algo)
	}
	h := newHash()
	r := c.s.blobs.reader(b, 0, from.Size)
	defer r.Close()
	if _, err := io.Copy(h, r); err != nil {
		return nil, err
	}
	return &checksum{Algorithm: algo, Value: encodeSum(h)}, nil
}
