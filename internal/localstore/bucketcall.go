package localstore

import (
	"encoding/xml"
	"net/http"
	"strings"
)

func (s *Store) owner() ownerOut { return ownerOut{ID: s.o.AccessKey, DisplayName: s.o.AccessKey} }

// parse reads an XML body; an empty one is an error.
func (c *call) parse(into any) error {
	doc, err := c.document()
	if err != nil {
		return err
	}
	if xml.Unmarshal(doc, into) != nil {
		return errMalformedXML
	}
	return nil
}

func (c *call) listBuckets() error {
	out := listBucketsOut{Owner: c.s.owner(), Prefix: c.query["prefix"]}
	for _, name := range c.s.bucketNames() {
		b, err := c.s.bucket(name)
		region := c.query["bucket-region"]
		if err != nil || !strings.HasPrefix(name, out.Prefix) || region != "" && b.Region != region {
			continue
		}
		row := bucketOut{Name: name, CreationDate: xmlTime(b.Created)}
		if c.d.cos() {
			row.Location = b.Region
		} else {
			row.BucketRegion = b.Region
		}
		out.Buckets.Bucket = append(out.Buckets.Bucket, row)
	}
	root := "ListAllMyBucketsResult"
	return c.xml(root, out)
}

func (c *call) createBucket() error {
	doc, err := c.document()
	if err != nil {
		return err
	}
	region := c.s.o.Region
	if c.d.cos() {
		if r := hostRegion(c.r.Host); r != "" {
			region = r
		}
	} else if len(doc) > 0 {
		var in createBucketIn
		if xml.Unmarshal(doc, &in) != nil {
			return errMalformedXML
		}
		if in.LocationConstraint != "" {
			region = in.LocationConstraint
		}
	}
	acl, err := c.s.aclFromHeaders(c.r.Header, c.d)
	if err != nil {
		return err
	}
	if err := c.s.createBucket(c.bucket, region, acl); err != nil {
		return err
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	return c.done(http.StatusOK)
}

func (c *call) headBucket() error {
	b, err := c.s.bucket(c.bucket)
	if err != nil {
		return err
	}
	c.set("Bucket-Region", b.Region)
	return c.done(http.StatusOK)
}

func (c *call) deleteBucket() error {
	if err := c.s.deleteBucket(c.bucket); err != nil {
		return err
	}
	return c.done(http.StatusNoContent)
}

func (c *call) getLocation() error {
	b, err := c.s.bucket(c.bucket)
	if err != nil {
		return err
	}
	region := b.Region
	if region == "us-east-1" && !c.d.cos() {
		region = "" // S3's own way to say it
	}
	return c.xml("LocationConstraint", struct {
		Region string `xml:",chardata"`
	}{region})
}

func (c *call) getVersioning() error {
	b, err := c.s.bucket(c.bucket)
	if err != nil {
		return err
	}
	return c.xml("VersioningConfiguration", versioningConfig{Status: b.Versioning})
}

func (c *call) putVersioning() error {
	var in versioningConfig
	if err := c.parse(&in); err != nil {
		return err
	}
	if in.Status != versioningEnabled && in.Status != versioningSuspended {
		return errMalformedXML
	}
	if err := c.s.updateBucket(c.bucket, func(b *bucketRecord) { b.Versioning = in.Status }); err != nil {
		return err
	}
	return c.done(http.StatusOK)
}

func (c *call) getBucketACL() error {
	b, err := c.s.bucket(c.bucket)
	if err != nil {
		return err
	}
	return c.writeACL(b.ACL)
}

func (c *call) putBucketACL() error {
	acl, err := c.readACL()
	if err != nil {
		return err
	}
	if err := c.s.updateBucket(c.bucket, func(b *bucketRecord) { b.ACL = acl }); err != nil {
		return err
	}
	return c.done(http.StatusOK)
}

func (c *call) getBucketTagging() error {
	b, err := c.s.bucket(c.bucket)
	if err != nil {
		return err
	}
	if len(b.Tags) == 0 {
		return errNoSuchTagSet
	}
	return c.xml("Tagging", taggingDoc{Tags: b.Tags})
}

func (c *call) putBucketTagging() error {
	var in taggingDoc
	if err := c.parse(&in); err != nil {
		return err
	}
	if err := checkTags(in.Tags, maxBucketTags); err != nil {
		return err
	}
	if err := c.s.updateBucket(c.bucket, func(b *bucketRecord) { b.Tags = in.Tags }); err != nil {
		return err
	}
	return c.done(http.StatusNoContent)
}

func (c *call) deleteBucketTagging() error {
	if err := c.s.updateBucket(c.bucket, func(b *bucketRecord) { b.Tags = nil }); err != nil {
		return err
	}
	return c.done(http.StatusNoContent)
}
