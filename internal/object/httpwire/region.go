package httpwire

import (
	"cmp"
	"encoding/xml"
	"net/url"
	"strings"
)

// misplaced reports whether an answer may say that the call was sent or signed for another region than its bucket's:
// 301 PermanentRedirect, 307 TemporaryRedirect, 400 AuthorizationHeaderMalformed (AWS S3 API, "Error responses"). A HEAD's
// 400 has no code.
func (a *response) misplaced() bool {
	switch a.status {
	case 301, 307, 308, 400:
		return true
	}
	return false
}

// moved aims rq at the region that the answer names, and reports whether it could. The host is always of the endpoint's
// own domain: an answer must not lead signed calls elsewhere.
func (c *Client) moved(rq *request, a *response) bool {
	// Who asks where a bucket is wants to know, not to be led there.
	asks := rq.wholeBucket && rq.method == "HEAD"
	if c.d.cos || a == nil || rq.place == nil || asks || !a.misplaced() {
		return false
	}
	was := cmp.Or(rq.place.region, string(c.o.Region))
	region := c.regionIn(a)
	if region == "" || region == was {
		return false
	}
	p := *rq.place
	p.region = region
	if !c.end.pinned {
		p.host = inRegion(p.host, was, region)
		p.addr, p.server = withPort(p.host, c.end.tls)
	}
	rq.aimAt(&p)
	return true
}

// regionIn finds the region that a misplaced call's answer names; "" = none.
func (c *Client) regionIn(a *response) string {
	if r := a.header.get(c.d.bucketRegion); regionName(r) {
		return r
	}
	var x struct {
		XMLName  xml.Name
		Region   string `xml:"Region"`
		Endpoint string `xml:"Endpoint"`
	}
	if xml.Unmarshal(a.data, &x) == nil && x.XMLName.Local == "Error" {
		if regionName(x.Region) {
			return x.Region
		}
		if r := hostRegion(x.Endpoint); r != "" {
			return r
		}
	}
	if u, err := url.Parse(a.header.get("location")); err == nil {
		return hostRegion(u.Host)
	}
	return ""
}

// hostRegion finds the region in a host of AWS's kind: bucket.s3.<region>.amazonaws.com, or s3-<region> in old names.
func hostRegion(host string) string {
	labels := strings.Split(host, ".")
	for i, l := range labels {
		if r, ok := strings.CutPrefix(l, "s3-"); ok && i+2 < len(labels) && regionName(r) {
			return r
		}
		if l == "s3" && i+3 < len(labels) && regionName(labels[i+1]) {
			return labels[i+1]
		}
	}
	return ""
}

// inRegion puts one region in another's place in a host's name. A host of AWS without a region gets it.
func inRegion(host, was, region string) string {
	labels := strings.Split(host, ".")
	for i, l := range labels {
		switch l {
		case was:
			labels[i] = region
			return strings.Join(labels, ".")
		case "s3-" + was:
			labels[i] = "s3-" + region
			return strings.Join(labels, ".")
		}
	}
	if head, ok := strings.CutSuffix(host, "s3.amazonaws.com"); ok && (head == "" || strings.HasSuffix(head, ".")) {
		return head + "s3." + region + ".amazonaws.com"
	}
	return host
}

// regionName reports whether s can be a region's name: one label of a host.
func regionName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 63
}
