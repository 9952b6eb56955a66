package localstore

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (c *call) createUpload() error {
	a, err := c.attributes()
	if err != nil {
		return err
	}
	u := &uploadRecord{Initiated: c.s.now().UnixNano(), attributes: a, Algorithm: c.askedAlgorithm()}
	if u.Algorithm != "" {
		if algorithms[u.Algorithm] == nil {
			return errInvalidRequest.because("The checksum algorithm %q is unknown.", u.Algorithm)
		}
		switch kind := c.header("Checksum-Type"); {
		case kind == "FULL_OBJECT" && !strings.HasPrefix(u.Algorithm, "crc"), kind == "COMPOSITE" && u.Algorithm == "crc64nvme":
			return errInvalidRequest.because("The %s checksum type cannot be used with the %s checksum algorithm.", kind, u.Algorithm)
		default:
			u.Composite = kind == "COMPOSITE" || kind == "" && u.Algorithm != "crc64nvme"
		}
	}
	id, err := c.s.createUpload(c.bucket, c.key, u)
	if err != nil {
		return err
	}
	c.set("Server-Side-Encryption", a.SSE)
	if u.Algorithm != "" {
		c.set("Checksum-Algorithm", strings.ToUpper(u.Algorithm))
		c.set("Checksum-Type", (&checksum{Composite: u.Composite}).kind())
	}
	return c.xml("InitiateMultipartUploadResult", initiateOut{Bucket: c.bucket, Key: c.key, UploadID: id})
}

func (c *call) partNumber() (int, error) {
	n, err := strconv.Atoi(c.query["partnumber"])
	if err != nil || n < 1 || n > maxParts {
		return 0, errInvalidArgument.because("Part number must be an integer between 1 and %d, inclusive.", maxParts)
	}
	return n, nil
}

func (c *call) uploadPart() error {
	number, err := c.partNumber()
	if err != nil {
		return err
	}
	id := c.query["uploadid"]
	u, err := c.s.upload(c.bucket, c.key, id)
	if err != nil {
		return err
	}
	p, err := c.payload()
	if err != nil {
		return err
	}
	if p.algo == "" && u.Algorithm != "" {
		p.algo, p.sum = u.Algorithm, algorithms[u.Algorithm]()
	}
	staged, sum, err := c.stage(p)
	if err != nil {
		return err
	}
	part, err := c.s.putPart(c.bucket, c.key, id, number, staged, sum)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", strconv.Quote(part.ETag))
	c.set("Server-Side-Encryption", u.SSE)
	if sum != nil && !c.d.cos() {
		c.set("Checksum-"+sum.Algorithm, sum.Value)
	}
	if c.d.cos() {
		c.set("Hash-Crc64ecma", strconv.FormatUint(part.CRC64, 10))
	}
	return c.done(http.StatusOK)
}

func (c *call) uploadPartCopy() error {
	number, err := c.partNumber()
	if err != nil {
		return err
	}
	id := c.query["uploadid"]
	u, err := c.s.upload(c.bucket, c.key, id)
	if err != nil {
		return err
	}
	src, err := c.copySource()
	if err != nil {
		return err
	}
	from, b, release, err := c.loadSource(src)
	if err != nil {
		return err
	}
	defer release()
	offset, length, whole, err := parseRange(c.header("Copy-Source-Range"), from.Size)
	if err == nil && whole && c.header("Copy-Source-Range") != "" {
		err = errInvalidArgument.because("The x-amz-copy-source-range value must be of the form bytes=first-last.")
	}
	if err != nil {
		return err
	}
	if length > maxUpload {
		return errInvalidRequest.because("A part has at most 5 GiB.")
	}
	var sum *checksum
	p := &payload{r: c.s.blobs.reader(b, offset, length), left: length}
	if u.Algorithm != "" {
		p.algo, p.sum = u.Algorithm, algorithms[u.Algorithm]()
	}
	staged, sum, err := c.stage(p)
	if err != nil {
		return err
	}
	part, err := c.s.putPart(c.bucket, c.key, id, number, staged, sum)
	if err != nil {
		return err
	}
	out := copyOut{ETag: strconv.Quote(part.ETag), LastModified: xmlTime(time.Unix(0, part.Modified))}
	if c.d.cos() {
		out.CRC64 = strconv.FormatUint(part.CRC64, 10)
	} else {
		out.checksumsOut = sum.elements()
		out.Type = ""
	}
	return c.xml("CopyPartResult", out)
}

func (c *call) completeUpload() error {
	in, err := c.parseComplete()
	if err != nil {
		return err
	}
	allowed, err := c.writeCondition()
	if err != nil {
		return err
	}
	chosen := make([]chosenPart, len(in.Parts))
	for i, p := range in.Parts {
		chosen[i] = chosenPart{Number: p.PartNumber, ETag: strings.Trim(strings.TrimSpace(p.ETag), `"`)}
	}
	checked := func(v *version) error {
		if v.Sum != nil {
			if want := c.header("Checksum-" + v.Sum.Algorithm); want != "" && want != v.Sum.Value {
				return errBadDigest
			}
		}
		return nil
	}
	v, err := c.s.completeUpload(c.bucket, c.key, c.query["uploadid"], chosen, checked, allowed)
	if err != nil {
		return err
	}
	c.describeNew(v)
	out := completeOut{
		Location: "http://" + c.r.Host + c.r.URL.EscapedPath(), Bucket: c.bucket, Key: c.key, ETag: v.quotedETag(),
	}
	if !c.d.cos() {
		out.checksumsOut = v.Sum.elements()
	}
	return c.xml("CompleteMultipartUploadResult", out)
}

// parseComplete reads the parts. The request's checksum headers are of the object and not of this body.
func (c *call) parseComplete() (*completeIn, error) {
	p, err := c.rawPayload()
	if err != nil {
		return nil, err
	}
	doc, err := p.document()
	if err != nil {
		return nil, err
	}
	var in completeIn
	if xml.Unmarshal(doc, &in) != nil {
		return nil, errMalformedXML
	}
	return &in, nil
}

func (c *call) abortUpload() error {
	if err := c.s.abortUpload(c.bucket, c.key, c.query["uploadid"]); err != nil {
		return err
	}
	return c.done(http.StatusNoContent)
}

func (c *call) listParts() error {
	id := c.query["uploadid"]
	u, err := c.s.upload(c.bucket, c.key, id)
	if err != nil {
		return err
	}
	limit, encode, err := c.page("max-parts")
	if err != nil {
		return err
	}
	after := 0
	if text := c.query["part-number-marker"]; text != "" {
		if after, err = strconv.Atoi(text); err != nil || after < 0 {
			return errInvalidArgument.because("Provided part-number-marker not an integer or within integer range.")
		}
	}
	parts, err := c.s.parts(id)
	if err != nil {
		return err
	}
	out := listPartsOut{
		Bucket: c.bucket, Key: encode(c.key), UploadID: id, Initiator: c.s.owner(), Owner: c.s.owner(),
		StorageClass: className(u.Class), PartNumberMarker: after, MaxParts: limit, EncodingType: c.query["encoding-type"],
	}
	for _, p := range parts {
		if p.Number <= after {
			continue
		}
		if len(out.Parts) == limit {
			out.IsTruncated = limit > 0
			break
		}
		row := partOut{
			PartNumber: p.Number, LastModified: xmlTime(time.Unix(0, p.Modified)), ETag: strconv.Quote(p.ETag), Size: p.Segment.Size,
		}
		if !c.d.cos() {
			row.checksumsOut = p.Sum.elements()
			row.Type = ""
		}
		out.Parts = append(out.Parts, row)
		out.NextPartNumberMarker = p.Number
	}
	return c.xml("ListPartsResult", out)
}
