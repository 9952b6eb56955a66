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
		Role:      role,
		Tags:      toTags(s.Tags),
		Generator: toGenerator(s.Generator),
		Request:   job.Request{Protocol: "json"},
	}
	spec.Manifest.PlusSpace = s.Manifest.PlusSpace
	for _, f := range s.Manifest.Fields {
		spec.Manifest.Fields = append(spec.Manifest.Fields, job.Field(f))
	}
	if s.Limits != nil {
		if spec.Limits, err = toLimits(*s.Limits); err != nil {
			return job.Spec{}, err
		}
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
	if o.ACL != nil {
		ops = append(ops, toACL(*o.ACL))
	}
	if len(ops) != 1 {
		return nil, job.FieldErrorf("operation", "%d are given; give exactly one of %s.", len(ops), strings.Join(operations, ", "))
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
	op.Grants = toGrants(c.Grants)
	if m := c.NewMetadata; m != nil {
		op.NewMetadata = object.Metadata(*m)
	}
	return op
}

func toGrants(grants []client.Grant) []object.Grant {
	var out []object.Grant
	for _, g := range grants {
		out = append(out, object.Grant{
			Grantee:    object.Grantee{ID: g.ID, URI: g.URI, DisplayName: g.DisplayName},
			Permission: g.Permission,
		})
	}
	return out
}

func toACL(a client.ACL) *operation.PutACL {
	op := &operation.PutACL{Canned: a.Canned, Grants: toGrants(a.Grants)}
	if a.Owner != nil {
		op.Owner = object.Grantee{ID: a.Owner.ID, DisplayName: a.Owner.DisplayName}
	}
	return op
}

func toGenerator(g *client.Generator) *job.Generator {
	if g == nil {
		return nil
	}
	f := g.Filter
	return &job.Generator{
		Source: job.Bucket(g.SourceBucket),
		Filter: job.ObjectFilter{
			Prefixes: f.Prefixes, Suffixes: f.Suffixes, Substrings: f.Substrings, CreatedAfter: f.CreatedAfter, CreatedBefore: f.CreatedBefore,
			LargerThan: f.LargerThan, SmallerThan: f.SmallerThan, Classes: f.Classes,
		},
		Output: job.Place{Region: job.Region(g.Output.Region), Bucket: job.Bucket(g.Output.Bucket), Prefix: g.Output.Prefix},
	}
}

func fromGenerator(g *job.Generator) *client.Generator {
	if g == nil {
		return nil
	}
	f := g.Filter
	return &client.Generator{
		SourceBucket: string(g.Source),
		Filter: client.ObjectFilter{
			Prefixes: f.Prefixes, Suffixes: f.Suffixes, Substrings: f.Substrings, CreatedAfter: f.CreatedAfter, CreatedBefore: f.CreatedBefore,
			LargerThan: f.LargerThan, SmallerThan: f.SmallerThan, Classes: f.Classes,
		},
		Output: client.Place{Region: string(g.Output.Region), Bucket: string(g.Output.Bucket), Prefix: g.Output.Prefix},
	}
}

// toTags keeps an empty list apart from none at all.
func toTags(tags []client.Tag) []job.Tag {
	if tags == nil {
		return nil
	}
	out := make([]job.Tag, 0, len(tags))
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
		Manifest:             fromManifest(s.Manifest),
		Generator:            fromGenerator(s.Generator),
		Tags:                 fromTags(s.Tags),
		Operation:            fromOperation(s.Operation),
		Priority:             int32(s.Priority),
		Limits:               FromLimits(s.Limits),
		Report: client.Report{
			Enabled: s.Report.Enabled,
			Region:  string(s.Report.Region),
			Bucket:  string(s.Report.Bucket),
			Prefix:  s.Report.Prefix,
			Scope:   string(s.Report.Scope),
		},
		Role: s.Role.ARN,
	}
	return spec
}

func fromManifest(m job.Manifest) client.Manifest {
	out := client.Manifest{
		Format:    string(m.Format),
		Region:    string(m.Location.Region),
		Bucket:    string(m.Location.Bucket),
		Key:       string(m.Location.Key),
		Version:   string(m.Location.Version),
		ETag:      m.Location.ETag,
		PlusSpace: m.PlusSpace,
	}
	for _, f := range m.Fields {
		out.Fields = append(out.Fields, string(f))
	}
	return out
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
		return client.Operation{Tagging: &client.Tagging{Directive: string(op.Directive), Tags: append([]client.Tag{}, fromTags(op.Tags)...)}}
	case *operation.PutACL:
		a := &client.ACL{Canned: op.Canned, Grants: fromGrants(op.Grants)}
		if op.Owner.ID+op.Owner.DisplayName != "" {
			a.Owner = &client.Owner{ID: op.Owner.ID, DisplayName: op.Owner.DisplayName}
		}
		return client.Operation{ACL: a}
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
	c.Grants = fromGrants(op.Grants)
	if m := client.Metadata(op.NewMetadata); !emptyMetadata(m) {
		c.NewMetadata = &m
	}
	return c
}

func fromGrants(grants []object.Grant) []client.Grant {
	var out []client.Grant
	for _, g := range grants {
		out = append(out, client.Grant{
			ID: g.Grantee.ID, URI: g.Grantee.URI, DisplayName: g.Grantee.DisplayName, Permission: g.Permission,
		})
	}
	return out
}

func emptyMetadata(m client.Metadata) bool {
	return m.CacheControl+m.ContentDisposition+m.ContentEncoding+m.ContentLanguage+m.ContentType+m.Expires == "" && len(m.User) == 0
}

func fromTags(tags []job.Tag) []client.Tag {
	if tags == nil {
		return nil
	}
	out := make([]client.Tag, 0, len(tags))
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
		Limits:         FromLimits(j.Limits),
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
	if j.Sizes != nil {
		out.Sizes = &client.Sizes{Bytes: j.Sizes.Bytes, Largest: j.Sizes.Largest}
	}
	if j.Generated.Location.Key != "" {
		m := fromManifest(j.Generated)
		out.GeneratedManifest = &m
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
