package rest

import (
	"strings"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

// toSpec makes the domain's spec; whether it makes sense is the service's to say.
func toSpec(s client.Spec, account job.Account) (job.Spec, error) {
	role, err := toRole(s.Role, account)
	if err != nil {
		return job.Spec{}, err
	}
	op, err := toOperation(s.Operation)
	if err != nil {
		return job.Spec{}, err
	}
	spec := job.Spec{
		Token:                s.Token,
		Account:              account,
		Region:               job.Region(s.Region),
		ConfirmationRequired: s.ConfirmationRequired,
		Description:          s.Description,
		Manifest: job.Manifest{
			Format: job.ManifestFormat(s.Manifest.Format),
			Location: job.Location{
				Region:  job.Region(s.Manifest.Region),
				Bucket:  job.Bucket(s.Manifest.Bucket),
				Key:     job.Key(s.Manifest.Key),
				Version: job.Version(s.Manifest.Version),
				ETag:    strings.Trim(s.Manifest.ETag, `"`),
			},
		},
		Operation: op,
		Priority:  job.Priority(s.Priority),
		Report: job.Report{
			Enabled: s.Report.Enabled,
			Region:  job.Region(s.Report.Region),
			Bucket:  job.Bucket(s.Report.Bucket),
			Prefix:  s.Report.Prefix,
			Scope:   job.ReportScope(s.Report.Scope),
		},
		Role:    role,
		Request: job.Request{Protocol: "json"},
	}
	for _, f := range s.Manifest.Fields {
		spec.Manifest.Fields = append(spec.Manifest.Fields, job.Field(f))
	}
	return spec, nil
}

// toRole takes a bare name for a role of the caller's own account.
func toRole(s string, account job.Account) (job.Role, error) {
	if s != "" && !strings.ContainsAny(s, ":/") {
		s = "qcs::cam::uin/" + account.UIN + ":roleName/" + s
	}
	return api.ParseRole("role", s)
}

func toOperation(o client.Operation) (job.Operation, error) {
	var ops []job.Operation
	if o.Copy != nil {
		ops = append(ops, toCopy(*o.Copy))
	}
	if o.Restore != nil {
		ops = append(ops, &operation.Restore{
			Days: o.Restore.Days, Tier: o.Restore.Tier,
			TrustInventory: o.Restore.TrustInventory, IntelligentTiering: o.Restore.IntelligentTiering,
			Wait: o.Restore.Wait,
		})
	}
	if o.Delete != nil {
		ops = append(ops, &operation.Delete{})
	}
	if o.Tagging != nil {
		ops = append(ops, &operation.Tagging{Directive: operation.Directive(o.Tagging.Directive), Tags: toTags(o.Tagging.Tags)})
	}
	if len(ops) != 1 {
		return nil, job.FieldErrorf("operation", "%d are given; give exactly one of copy, restore, delete and tagging.", len(ops))
	}
	return ops[0], nil
}

func toCopy(c client.Copy) *operation.Copy {
	op := &operation.Copy{
		TargetRegion:      job.Region(c.TargetRegion),
		TargetBucket:      job.Bucket(c.TargetBucket),
		PrefixReplace:     c.PrefixReplace,
		PrefixFrom:        c.PrefixFrom,
		PrefixTo:          c.PrefixTo,
		StorageClass:      c.StorageClass,
		SSE:               c.SSE,
		SSEKey:            c.SSEKey,
		Verify:            operation.Verify(c.Verify),
		ACL:               operation.Directive(c.ACL),
		CannedACL:         c.CannedACL,
		Metadata:          operation.Directive(c.Metadata),
		Tagging:           operation.Directive(c.Tagging),
		NewTags:           toTags(c.NewTags),
		IfModifiedSince:   c.IfModifiedSince,
		IfUnmodifiedSince: c.IfUnmodifiedSince,
	}
	for _, g := range c.Grants {
		op.Grants = append(op.Grants, object.Grant{
			Grantee:    object.Grantee{ID: g.ID, URI: g.URI, DisplayName: g.DisplayName},
			Permission: g.Permission,
		})
	}
	if m := c.NewMetadata; m != nil {
		op.NewMetadata = object.Metadata(*m)
	}
	return op
}

func toTags(tags []client.Tag) []job.Tag {
	var out []job.Tag
	for _, t := range tags {
		out = append(out, job.Tag(t))
	}
	return out
}

// FromSpec makes the JSON form of a spec.
func FromSpec(s job.Spec) client.Spec {
	spec := client.Spec{
		Token:                s.Token,
		Region:               string(s.Region),
		ConfirmationRequired: s.ConfirmationRequired,
		Description:          s.Description,
		Manifest: client.Manifest{
			Format:  string(s.Manifest.Format),
			Region:  string(s.Manifest.Location.Region),
			Bucket:  string(s.Manifest.Location.Bucket),
			Key:     string(s.Manifest.Location.Key),
			Version: string(s.Manifest.Location.Version),
			ETag:    s.Manifest.Location.ETag,
		},
		Operation: fromOperation(s.Operation),
		Priority:  int32(s.Priority),
		Report: client.Report{
			Enabled: s.Report.Enabled,
			Region:  string(s.Report.Region),
			Bucket:  string(s.Report.Bucket),
			Prefix:  s.Report.Prefix,
			Scope:   string(s.Report.Scope),
		},
		Role: s.Role.ARN,
	}
	for _, f := range s.Manifest.Fields {
		spec.Manifest.Fields = append(spec.Manifest.Fields, string(f))
	}
	return spec
}

func fromOperation(op job.Operation) client.Operation {
	switch op := op.(type) {
	case *operation.Copy:
		return client.Operation{Copy: fromCopy(op)}
	case *operation.Restore:
		return client.Operation{Restore: &client.Restore{
			Days: op.Days, Tier: op.Tier, TrustInventory: op.TrustInventory, IntelligentTiering: op.IntelligentTiering,
			Wait: op.Wait,
		}}
	case *operation.Delete:
		return client.Operation{Delete: &client.Delete{}}
	case *operation.Tagging:
		return client.Operation{Tagging: &client.Tagging{Directive: string(op.Directive), Tags: fromTags(op.Tags)}}
	}
	return client.Operation{}
}

func fromCopy(op *operation.Copy) *client.Copy {
	c := &client.Copy{
		TargetRegion:      string(op.TargetRegion),
		TargetBucket:      string(op.TargetBucket),
		PrefixReplace:     op.PrefixReplace,
		PrefixFrom:        op.PrefixFrom,
		PrefixTo:          op.PrefixTo,
		StorageClass:      op.StorageClass,
		SSE:               op.SSE,
		SSEKey:            op.SSEKey,
		Verify:            string(op.Verify),
		ACL:               string(op.ACL),
		CannedACL:         op.CannedACL,
		Metadata:          string(op.Metadata),
		Tagging:           string(op.Tagging),
		NewTags:           fromTags(op.NewTags),
		IfModifiedSince:   op.IfModifiedSince,
		IfUnmodifiedSince: op.IfUnmodifiedSince,
	}
	for _, g := range op.Grants {
		c.Grants = append(c.Grants, client.Grant{
			ID: g.Grantee.ID, URI: g.Grantee.URI, DisplayName: g.Grantee.DisplayName, Permission: g.Permission,
		})
	}
	if m := client.Metadata(op.NewMetadata); !emptyMetadata(m) {
		c.NewMetadata = &m
	}
	return c
}

func emptyMetadata(m client.Metadata) bool {
	return m.CacheControl+m.ContentDisposition+m.ContentEncoding+m.ContentLanguage+m.ContentType+m.Expires == "" && len(m.User) == 0
}

func fromTags(tags []job.Tag) []client.Tag {
	var out []client.Tag
	for _, t := range tags {
		out = append(out, client.Tag(t))
	}
	return out
}

// FromJob makes the JSON form of a job.
func FromJob(j job.Job) client.Job {
	out := client.Job{
		ID:             string(j.ID),
		Account:        client.Account{UIN: j.Spec.Account.UIN, AppID: j.Spec.Account.AppID},
		Spec:           FromSpec(j.Spec),
		Status:         string(j.Status),
		Priority:       int32(j.Priority),
		StatusReason:   j.StatusReason,
		SuspendedCause: j.SuspendedCause,
		PausedByUser:   j.PausedByUser,
		Progress: client.Progress{
			Total:         j.Progress.Total,
			Succeeded:     j.Progress.Succeeded,
			Failed:        j.Progress.Failed,
			Requested:     j.Progress.Requested,
			ActiveSeconds: j.Progress.ActiveFor.Seconds(),
			Provisional:   j.Progress.Provisional,
			Rate:          j.Progress.Rate,
		},
		Created:        j.Created.UTC(),
		Suspended:      j.Suspended.UTC(),
		Started:        j.Started.UTC(),
		Terminated:     j.Terminated.UTC(),
		ReportManifest: j.ReportManifest,
		RetryOf:        string(j.Spec.RetryOf),
		Revision:       j.Revision,
	}
	if left, ok := j.Progress.Remaining(); ok {
		out.Progress.RemainingSeconds = left.Seconds()
	}
	for _, c := range j.Progress.ByCode {
		count := client.CodeCount{Code: c.Code, Count: c.Count}
		for _, k := range c.Samples {
			count.Samples = append(count.Samples, string(k))
		}
		out.Progress.ByCode = append(out.Progress.ByCode, count)
	}
	for _, f := range j.Failures {
		out.Failures = append(out.Failures, client.Failure(f))
	}
	for _, e := range j.Events {
		out.Events = append(out.Events, client.Event{Time: e.Time.UTC(), From: string(e.From), To: string(e.To), Actor: e.Actor, Reason: e.Reason})
	}
	return out
}

func fromWork(w job.Work) client.Work {
	out := client.Work{
		Chunks: w.Chunks, ChunkRows: w.ChunkRows, Waiting: w.Waiting, Running: w.Running, Segments: []client.Segment{}, Pace: []client.Sample{},
	}
	for _, s := range w.Segments {
		segment := client.Segment{Number: s.Number, Files: []client.SegmentFile{}}
		for _, f := range s.Files {
			segment.Files = append(segment.Files, client.SegmentFile{Name: f.Name, Status: string(f.Status), Size: f.Size, Rows: f.Rows})
		}
		out.Segments = append(out.Segments, segment)
	}
	for _, p := range w.Pace {
		out.Pace = append(out.Pace, client.Sample{Time: p.Time.UTC(), Done: p.Done, Failed: p.Failed})
	}
	return out
}
