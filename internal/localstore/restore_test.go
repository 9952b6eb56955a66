package localstore_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/drover-batch/drover/internal/localstore"
)

// clock is a time that a test moves.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time              { return time.Unix(0, c.at.Load()) }
func (c *clock) move(d time.Duration)        { c.at.Add(int64(d)) }
func (c *clock) options() localstore.Options { return localstore.Options{Now: c.now} }

func restore(t *testing.T, c *s3.Client, key, version string, days int32, tier types.Tier) error {
	t.Helper()
	in := &s3.RestoreObjectInput{
		Bucket: bucket, Key: &key,
		RestoreRequest: &types.RestoreRequest{Days: &days, GlacierJobParameters: &types.GlacierJobParameters{Tier: tier}},
	}
	if version != "" {
		in.VersionId = &version
	}
	_, err := c.RestoreObject(t.Context(), in)
	return err
}

func TestStorageClasses(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	for _, name := range []string{"STANDARD_IA", "ARCHIVE", "DEEP_ARCHIVE", "GLACIER", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR"} {
		put(t, c, name, "x", class(name))
		if got := string(head(t, c, name).StorageClass); got != name {
			t.Errorf("HEAD of %s says %s", name, got)
		}
	}
	put(t, c, "STANDARD", "x", class("STANDARD"))
	if got := head(t, c, "STANDARD").StorageClass; got != "" {
		t.Errorf("HEAD of STANDARD says %s", got)
	}
	for _, o := range must(c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket}))(t).Contents {
		if string(o.StorageClass) != *o.Key {
			t.Errorf("the listing says %s of %s", o.StorageClass, *o.Key)
		}
	}
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("x"), StorageClass: "REDUCED"})
	refused(t, err, 400, "InvalidStorageClass")
}

func TestRestoreLifeCycle(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ARCHIVE", "GLACIER", "DEEP_ARCHIVE"} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			c, _ := setup(t, clock.options())
			put(t, c, "k", "cold", class(name))
			shut := func(when string) {
				t.Helper()
				_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("k")})
				refused(t, err, 403, "InvalidObjectState")
				_, err = c.CopyObject(t.Context(), copyInput("to", "k"))
				refused(t, err, 403, "InvalidObjectState")
				if got := string(head(t, c, "k").StorageClass); got != name {
					t.Errorf("%s the class is %s", when, got)
				}
			}
			state := func(want string) {
				t.Helper()
				if got := aws.ToString(head(t, c, "k").Restore); got != want {
					t.Errorf("x-amz-restore is %q, want %q", got, want)
				}
			}
			shut("before")
			state("")
			if err := restore(t, c, "k", "", 2, types.TierStandard); err != nil {
				t.Fatal(err)
			}
			state(`ongoing-request="true"`)
			shut("while restoring")
			refused(t, restore(t, c, "k", "", 2, types.TierStandard), 409, "RestoreAlreadyInProgress")

			clock.move(5 * time.Second)
			state(`ongoing-request="false", expiry-date="Wed, 04 Mar 2026 00:00:00 GMT"`)
			if text, _ := get(t, c, "k"); text != "cold" {
				t.Errorf("restored body is %q", text)
			}
			must(c.CopyObject(t.Context(), copyInput("to", "k")))(t)
			if got := head(t, c, "to").StorageClass; got != "" {
				t.Errorf("the copy's class is %s", got)
			}

			clock.move(24 * time.Hour)
			if err := restore(t, c, "k", "", 5, types.TierBulk); err != nil {
				t.Fatal(err)
			}
			state(`ongoing-request="false", expiry-date="Sun, 08 Mar 2026 00:00:00 GMT"`)

			clock.move(7 * 24 * time.Hour)
			state("")
			shut("after expiry")
			if err := restore(t, c, "k", "", 1, types.TierBulk); err != nil {
				t.Fatal(err)
			}
			clock.move(9 * time.Second)
			state(`ongoing-request="true"`)
			clock.move(time.Second)
			if text, _ := get(t, c, "k"); text != "cold" {
				t.Errorf("restored body is %q", text)
			}
		})
	}
}

func TestRestoreRefusals(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c, _ := setup(t, clock.options())
	put(t, c, "warm", "x")
	put(t, c, "instant", "x", class("GLACIER_IR"))
	put(t, c, "cold", "x", class("GLACIER"))
	put(t, c, "deep", "x", class("DEEP_ARCHIVE"))
	refused(t, restore(t, c, "warm", "", 1, types.TierBulk), 403, "InvalidObjectState")
	refused(t, restore(t, c, "instant", "", 1, types.TierBulk), 403, "InvalidObjectState")
	refused(t, restore(t, c, "cold", "", 0, types.TierBulk), 400, "InvalidArgument")
	refused(t, restore(t, c, "cold", "", 366, types.TierBulk), 400, "InvalidArgument")
	refused(t, restore(t, c, "cold", "", 1, "Fast"), 400, "InvalidArgument")
	refused(t, restore(t, c, "deep", "", 1, types.TierExpedited), 400, "InvalidArgument")
	refused(t, restore(t, c, "none", "", 1, types.TierBulk), 404, "NoSuchKey")
	if err := restore(t, c, "cold", "", 365, types.TierExpedited); err != nil {
		t.Fatal(err)
	}
	clock.move(time.Second)
	if got := aws.ToString(head(t, c, "cold").Restore); !strings.Contains(got, `"false"`) {
		t.Errorf("an expedited restore stands at %s after a second", got)
	}
}

func TestRestoreDelayOfTheOptionsHoldsForAllTiers(t *testing.T) {
	t.Parallel()
	clock := newClock()
	o := clock.options()
	o.RestoreDelay = time.Minute
	c, _ := setup(t, o)
	for _, tier := range []types.Tier{types.TierBulk, types.TierStandard, types.TierExpedited} {
		put(t, c, "k", "x", class("GLACIER"))
		if err := restore(t, c, "k", "", 1, tier); err != nil {
			t.Fatal(err)
		}
		clock.move(59 * time.Second)
		if got := aws.ToString(head(t, c, "k").Restore); got != `ongoing-request="true"` {
			t.Errorf("%s stands at %s", tier, got)
		}
		clock.move(time.Second)
		get(t, c, "k")
	}
}

func TestOldVersionsAreRestored(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c, s := setup(t, clock.options())
	versioning(t, c, types.BucketVersioningStatusEnabled)
	old := *put(t, c, "k", "old", class("ARCHIVE")).VersionId
	put(t, c, "k", "new")
	if err := restore(t, c, "k", old, 1, types.TierStandard); err != nil {
		t.Fatal(err)
	}
	clock.move(5 * time.Second)
	if text, _ := get(t, c, "k", func(in *s3.GetObjectInput) { in.VersionId = &old }); text != "old" {
		t.Errorf("the old version is %q", text)
	}
	refused(t, restore(t, c, "k", "", 1, types.TierStandard), 403, "InvalidObjectState")
	out := must(client(s).ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{
		Bucket: bucket, OptionalObjectAttributes: []types.OptionalObjectAttributes{types.OptionalObjectAttributesRestoreStatus},
	}))(t)
	if r := out.Versions[1].RestoreStatus; r == nil || *r.IsRestoreInProgress || r.RestoreExpiryDate == nil {
		t.Errorf("the listing's restore status is %+v", r)
	}
}
