package localstore

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxTags       = 10
	maxBucketTags = 50
	maxTagKey     = 128 // characters
	maxTagValue   = 256 // characters
)

// checkTags holds a tag set against the rules (AWS S3 API, PutObjectTagging; Tencent 436/42997).
func checkTags(tags []tag, most int) error {
	seen := map[string]bool{}
	for _, t := range tags {
		if t.Key == "" || seen[t.Key] || !validTagText(t.Key, maxTagKey) || !validTagText(t.Value, maxTagValue) {
			return errInvalidTag
		}
		seen[t.Key] = true
	}
	if len(tags) > most {
		return errInvalidTag
	}
	return nil
}

func validTagText(s string, most int) bool {
	if utf8.RuneCountInString(s) > most {
		return false
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsSpace(r) && !strings.ContainsRune("+-=._:/@", r) {
			return false
		}
	}
	return true
}

// parseTagQuery reads x-amz-tagging, a URL's query, keeping its order.
func parseTagQuery(text string) ([]tag, error) {
	var tags []tag
	for pair := range strings.SplitSeq(text, "&") {
		k, v, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err1 != nil || err2 != nil {
			return nil, errInvalidTag
		}
		tags = append(tags, tag{Key: key, Value: value})
	}
	return tags, checkTags(tags, maxTags)
}

func (c *call) getTagging() error {
	v, err := c.s.lookup(c.bucket, c.key, c.query["versionid"])
	if err != nil {
		return err
	}
	c.setVersion(v)
	return c.xml("Tagging", taggingDoc{Tags: v.Tags})
}

func (c *call) putTagging() error {
	var in taggingDoc
	if err := c.parse(&in); err != nil {
		return err
	}
	if err := checkTags(in.Tags, maxTags); err != nil {
		return err
	}
	return c.changeVersion(http.StatusOK, func(v *version) error {
		v.Tags = in.Tags
		return nil
	})
}

func (c *call) deleteTagging() error {
	return c.changeVersion(http.StatusNoContent, func(v *version) error {
		v.Tags = nil
		return nil
	})
}

// changeVersion changes the record of the version that the request names and answers without a body.
func (c *call) changeVersion(status int, f func(*version) error) error {
	v, err := c.s.update(c.bucket, c.key, c.query["versionid"], f)
	if err != nil {
		return err
	}
	c.setVersion(v)
	return c.done(status)
}

func (c *call) getACL() error {
	v, err := c.s.lookup(c.bucket, c.key, c.query["versionid"])
	if err != nil {
		return err
	}
	c.setVersion(v)
	return c.writeACL(v.ACL)
}

func (c *call) putACL() error {
	acl, err := c.readACL()
	if err != nil {
		return err
	}
	return c.changeVersion(http.StatusOK, func(v *version) error {
		v.ACL = acl
		return nil
	})
}

// readACL reads an access list from headers or from the body, not from both.
func (c *call) readACL() (*aclRecord, error) {
	acl, err := c.s.aclFromHeaders(c.r.Header, c.d)
	if err != nil || acl != nil {
		return acl, err
	}
	var in accessControlPolicyIn
	if err := c.parse(&in); err != nil {
		return nil, err
	}
	return parseACL(&in)
}

func (c *call) writeACL(acl *aclRecord) error {
	if acl == nil {
		name := "private"
		if c.d.cos() {
			name = "default"
		}
		var err error
		if acl, err = c.s.canned(name, c.d); err != nil {
			return err
		}
	}
	out := accessControlPolicyOut{Owner: c.s.owner()}
	for _, g := range acl.Grants {
		grantee := granteeOut{XSI: "http://www.w3.org/2001/XMLSchema-instance", Type: "CanonicalUser", ID: g.ID, DisplayName: g.Name}
		if g.URI != "" {
			grantee = granteeOut{XSI: grantee.XSI, Type: "Group", URI: g.URI}
		}
		out.Grants = append(out.Grants, grantOut{Grantee: grantee, Permission: g.Permission})
	}
	if c.d.cos() {
		c.set("Acl", acl.Canned)
	}
	return c.xml("AccessControlPolicy", out)
}

func (c *call) restoreObject() error {
	var in restoreIn
	if err := c.parse(&in); err != nil {
		return err
	}
	days := 0
	text := strings.TrimSpace(in.Days)
	if text != "" {
		var err error
		if days, err = strconv.Atoi(text); err != nil {
			return errMalformedXML
		}
	}
	if text != "" && (days < 1 || days > maxRestoreDays) {
		return errInvalidArgument.because("Days must be 1–%d.", maxRestoreDays)
	}
	tier := tierStandard
	for _, t := range []string{in.Glacier.Tier, in.CAS.Tier, in.TopLevel} {
		if t = strings.TrimSpace(t); t != "" {
			tier = t
		}
	}
	if tierDelays[tier] == 0 {
		return errInvalidArgument.because("The tier must be Expedited, Standard or Bulk.")
	}
	refusal := errNotArchivedS3
	if c.d.cos() {
		refusal = errNotArchivedCOS
	}
	status, err := c.s.restore(c.bucket, c.key, c.query["versionid"], days, tier, refusal)
	if err != nil {
		return err
	}
	return c.done(status)
}

func (c *call) getAttributes() error {
	v, err := c.s.lookup(c.bucket, c.key, c.query["versionid"])
	if err != nil {
		return err
	}
	c.setVersion(v)
	c.w.Header().Set("Last-Modified", v.modified().Format(http.TimeFormat))
	var out attributesOut
	for name := range strings.SplitSeq(strings.Join(c.r.Header.Values(c.d.prefix+"Object-Attributes"), ","), ",") {
		switch strings.TrimSpace(name) {
		case "ETag":
			out.ETag = v.ETag
		case "Checksum":
			if v.Sum != nil {
				sums := v.Sum.elements()
				out.Checksum = &sums
			}
		case "ObjectParts":
			if v.Parts {
				out.ObjectParts = &objectPartsOut{TotalPartsCount: len(v.Segments)}
			}
		case "StorageClass":
			out.StorageClass = v.class()
		case "ObjectSize":
			out.ObjectSize = &v.Size
		default:
			return errInvalidArgument.because("x-amz-object-attributes names ETag, Checksum, ObjectParts, StorageClass and ObjectSize.")
		}
	}
	return c.xml("GetObjectAttributesResponse", out)
}
