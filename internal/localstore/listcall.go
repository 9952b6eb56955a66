package localstore

import (
	"encoding/base64"
	"encoding/xml"
	"strconv"
	"strings"
	"time"
)

const maxPage = 1000 // rows of a listing

// page reads what all listings share.
func (c *call) page(limitName string) (limit int, encode func(string) string, err error) {
	limit = maxPage
	if text := c.query[limitName]; text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 {
			return 0, nil, errInvalidArgument.because("Provided %s not an integer or within integer range.", limitName)
		}
		limit = min(limit, maxPage)
	}
	switch c.query["encoding-type"] {
	case "":
		encode = func(s string) string { return s }
	case "url":
		encode = encodePath
	default:
		return 0, nil, errInvalidArgument.because("Invalid Encoding Method specified in Request.")
	}
	return limit, encode, nil
}

// listObjects is ListObjects and, with list-type=2, ListObjectsV2.
func (c *call) listObjects() error {
	if _, err := c.s.bucket(c.bucket); err != nil {
		return err
	}
	limit, encode, err := c.page("max-keys")
	if err != nil {
		return err
	}
	second := c.query["list-type"] == "2"
	l := listing{bucket: c.bucket, prefix: c.query["prefix"], delimiter: c.query["delimiter"], after: c.query["marker"]}
	out := listOut{
		Name: c.bucket, Prefix: encode(l.prefix), Delimiter: encode(l.delimiter), MaxKeys: limit,
		EncodingType: c.query["encoding-type"],
	}
	if second {
		l.after = c.query["start-after"]
		out.StartAfter = encode(l.after)
		out.ContinuationToken = c.query["continuation-token"]
		if out.ContinuationToken != "" {
			raw, err := base64.URLEncoding.DecodeString(out.ContinuationToken)
			if err != nil {
				return errInvalidArgument.because("The continuation token provided is incorrect.")
			}
			l.after = string(raw)
		}
	} else {
		marker := encode(l.after)
		out.Marker = &marker
	}
	count, last := 0, ""
	err = c.s.walk(l, func(row listed) bool {
		if count == limit {
			out.IsTruncated = limit > 0
			return false
		}
		count++
		if row.prefix != "" {
			last = row.prefix
			out.CommonPrefixes = append(out.CommonPrefixes, prefixOut{encode(row.prefix)})
			return true
		}
		last = row.version.Key
		out.Contents = append(out.Contents, c.content(row.version, encode, !second || c.query["fetch-owner"] == "true"))
		return true
	})
	if err != nil {
		return err
	}
	if second {
		out.KeyCount = &count
	}
	if out.IsTruncated && second {
		out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(last))
	} else if out.IsTruncated {
		out.NextMarker = encode(last)
	}
	return c.xml("ListBucketResult", out)
}

func (c *call) content(v *version, encode func(string) string, owner bool) contentOut {
	out := contentOut{
		Key: encode(v.Key), LastModified: xmlTime(v.modified()), ETag: v.quotedETag(), Size: v.Size, StorageClass: v.class(),
		RestoreStatus: c.restoreStatus(v),
	}
	if v.Sum != nil && !c.d.cos() {
		out.ChecksumAlgorithm, out.ChecksumType = strings.ToUpper(v.Sum.Algorithm), v.Sum.kind()
	}
	if owner {
		o := c.s.owner()
		out.Owner = &o
	}
	return out
}

// restoreStatus shows a restore in a listing: COS does so always, S3 when asked.
func (c *call) restoreStatus(v *version) *restoreStatusOut {
	now := c.s.now()
	ongoing, done := v.Restore.ongoing(now), v.Restore.done(now)
	if !ongoing && !done {
		return nil
	}
	if c.d.cos() {
		if ongoing {
			return &restoreStatusOut{Text: "ONGOING"}
		}
		return &restoreStatusOut{Text: "DONE"}
	}
	if !strings.Contains(c.header("Optional-Object-Attributes"), "RestoreStatus") {
		return nil
	}
	out := &restoreStatusOut{InProgress: &ongoing}
	if done {
		out.Expiry = xmlTime(v.Restore.Expiry)
	}
	return out
}

func (c *call) listVersions() error {
	if _, err := c.s.bucket(c.bucket); err != nil {
		return err
	}
	limit, encode, err := c.page("max-keys")
	if err != nil {
		return err
	}
	l := listing{
		bucket: c.bucket, prefix: c.query["prefix"], delimiter: c.query["delimiter"], after: c.query["key-marker"],
		versions: true, version: c.query["version-id-marker"],
	}
	if l.version != "" && l.after == "" {
		return errInvalidArgument.because("A version-id marker cannot be specified without a key marker.")
	}
	out := listVersionsOut{
		Name: c.bucket, Prefix: encode(l.prefix), KeyMarker: encode(l.after), VersionIDMarker: l.version, MaxKeys: limit,
		Delimiter: encode(l.delimiter), EncodingType: c.query["encoding-type"],
	}
	count := 0
	var last listed
	err = c.s.walk(l, func(row listed) bool {
		if count == limit {
			out.IsTruncated = limit > 0
			return false
		}
		count++
		last = row
		if row.prefix != "" {
			out.CommonPrefixes = append(out.CommonPrefixes, prefixOut{encode(row.prefix)})
		} else {
			out.Versions = append(out.Versions, c.versionRow(row, encode))
		}
		return true
	})
	if err != nil {
		return err
	}
	if out.IsTruncated {
		out.NextKeyMarker = encode(last.prefix)
		if last.version != nil {
			out.NextKeyMarker, out.NextVersionIDMarker = encode(last.version.Key), last.version.id()
		}
	}
	return c.xml("ListVersionsResult", out)
}

func (c *call) versionRow(row listed, encode func(string) string) versionOut {
	v := row.version
	out := versionOut{
		XMLName: xml.Name{Local: "Version"}, Key: encode(v.Key), VersionID: v.id(), IsLatest: row.latest,
		LastModified: xmlTime(v.modified()), Owner: c.s.owner(),
	}
	if v.Marker {
		out.XMLName.Local = "DeleteMarker"
		return out
	}
	out.ETag, out.Size, out.StorageClass, out.RestoreStatus = v.quotedETag(), &v.Size, v.class(), c.restoreStatus(v)
	return out
}

func (c *call) listUploads() error {
	if _, err := c.s.bucket(c.bucket); err != nil {
		return err
	}
	limit, encode, err := c.page("max-uploads")
	if err != nil {
		return err
	}
	l := listing{prefix: c.query["prefix"], delimiter: c.query["delimiter"], after: c.query["key-marker"]}
	out := listUploadsOut{
		Bucket: c.bucket, KeyMarker: encode(l.after), UploadIDMarker: c.query["upload-id-marker"], Prefix: encode(l.prefix),
		Delimiter: encode(l.delimiter), MaxUploads: limit, EncodingType: c.query["encoding-type"],
	}
	count, lastKey, lastID := 0, "", ""
	err = c.s.eachUpload(c.bucket, l.prefix, func(key, id string, u *uploadRecord) (bool, error) {
		cp := l.commonPrefix(key)
		seen := cp != "" && (cp == lastKey || cp == l.after)
		if seen || key < l.after || key == l.after && (out.UploadIDMarker == "" || id <= out.UploadIDMarker) {
			return true, nil
		}
		if count == limit {
			out.IsTruncated = limit > 0
			return false, nil
		}
		count++
		if cp != "" {
			lastKey, lastID = cp, ""
			out.CommonPrefixes = append(out.CommonPrefixes, prefixOut{encode(cp)})
			return true, nil
		}
		lastKey, lastID = key, id
		out.Uploads = append(out.Uploads, uploadOut{
			Key: encode(key), UploadID: id, Initiator: c.s.owner(), Owner: c.s.owner(), StorageClass: className(u.Class),
			Initiated: xmlTime(time.Unix(0, u.Initiated)),
		})
		return true, nil
	})
	if err != nil {
		return err
	}
	if out.IsTruncated {
		out.NextKeyMarker, out.NextUploadIDMarker = encode(lastKey), lastID
	}
	return c.xml("ListMultipartUploadsResult", out)
}
