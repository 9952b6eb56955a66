package client

import (
	"fmt"
	"time"
)

// Spec is what a job is asked to do. The words of its fields are those of Tencent COS's batch operations.
type Spec struct {
	// Token makes a request its own: the same token twice is refused. 1–64 bytes; empty = a random one.
	Token string `json:"token,omitempty"`
	// Region is where the job's objects lie; empty = the server's default.
	Region string `json:"region,omitempty"`
	// ConfirmationRequired lets the job wait, Suspended, until it is confirmed.
	ConfirmationRequired bool   `json:"confirmationRequired,omitempty"`
	Description          string `json:"description,omitempty"` // at most 256 bytes
	// Manifest is the list of objects. In its place Generator may be given, which makes one.
	Manifest  Manifest   `json:"manifest,omitzero"`
	Generator *Generator `json:"generator,omitempty"`
	Operation Operation  `json:"operation"`
	// Priority is 0–2147483647; a larger value runs first.
	Priority int32   `json:"priority"`
	Limits   *Limits `json:"limits,omitempty"` // nil = none
	Report   Report  `json:"report"`
	// Role is what the job acts as: qcs::cam::uin/<uin>:roleName/<name>, arn:aws:iam::<account>:role/<name>, or the name
	// of a role of the caller's account.
	Role string `json:"role"`
	// Tags are the job's own, at most 50: what it is made with. Tags and SetTags read and change them.
	Tags []Tag `json:"tags,omitempty"`
}

// Generator makes a job's manifest while the job is prepared: its source is listed, and what the filter lets through is
// kept as an inventory report.
type Generator struct {
	SourceBucket string       `json:"sourceBucket"`
	Filter       ObjectFilter `json:"filter,omitzero"`
	Output       Place        `json:"output,omitzero"` // where the list is kept; left out, beside the report
}

// Place is where something is written.
type Place struct {
	Region string `json:"region,omitempty"` // empty = the job's
	Bucket string `json:"bucket"`
	Prefix string `json:"prefix,omitempty"` // at most 512 bytes
}

// ObjectFilter lets objects through that fit all that is set in it.
type ObjectFilter struct {
	Prefixes      []string  `json:"prefixes,omitempty"`   // the key begins with one of them
	Suffixes      []string  `json:"suffixes,omitempty"`   // the key ends with one of them
	Substrings    []string  `json:"substrings,omitempty"` // the key has one of them in it
	CreatedAfter  time.Time `json:"createdAfter,omitzero"`
	CreatedBefore time.Time `json:"createdBefore,omitzero"`
	LargerThan    *int64    `json:"largerThan,omitempty"`  // bytes
	SmallerThan   *int64    `json:"smallerThan,omitempty"` // bytes
	Classes       []string  `json:"classes,omitempty"`     // storage classes
}

// Bounds are how much a job calls its stores at most, all workers together. 0 bounds nothing.
type Bounds struct {
	Rate  float64 `json:"rate,omitempty"`  // calls that begin in a second
	Bytes int64   `json:"bytes,omitempty"` // bytes a second of bodies, and of copies whose size is known
	Calls int     `json:"calls,omitempty"` // at a time
}

// Limits are bounds, and others at some hours of the day.
type Limits struct {
	Bounds
	Hours []Hours `json:"hours,omitempty"` // at most 24; the first that holds decides
	// Zone is the time zone of the hours: a name like Asia/Shanghai, or UTC. Required with hours.
	Zone string `json:"zone,omitempty"`
}

// Hours are a part of each day with bounds of its own, as from 22:00 to 06:00.
type Hours struct {
	From string `json:"from"`
	To   string `json:"to"`
	Bounds
}

// Manifest names an object that lists objects.
type Manifest struct {
	Format string   `json:"format"`           // COSBatchOperations_CSV_V1 or COSInventoryReport_CSV_V1
	Fields []string `json:"fields,omitempty"` // columns of a CSV: Bucket, Key, VersionId, Ignore
	Region string   `json:"region,omitempty"` // empty = the job's
	Bucket string   `json:"bucket"`
	Key    string   `json:"key"`
	// Version is the object's version id; empty = the latest.
	Version string `json:"version,omitempty"`
	ETag    string `json:"etag"` // with or without quotes
	// PlusSpace says that + in a key of a CSV is a space, as the AWS S3 API has it; in inventories it always is.
	PlusSpace bool `json:"plusSpace,omitempty"`
}

// Operation is what happens to each object: exactly one of its fields is set.
type Operation struct {
	Copy    *Copy    `json:"copy,omitempty"`
	Restore *Restore `json:"restore,omitempty"`
	Delete  *Delete  `json:"delete,omitempty"`
	Tagging *Tagging `json:"tagging,omitempty"`
	ACL     *ACL     `json:"acl,omitempty"`
}

// Copy copies each object to another bucket. The directives are Copy, Replaced and Add; empty = the default.
type Copy struct {
	TargetRegion string `json:"targetRegion,omitempty"` // empty = the job's
	TargetBucket string `json:"targetBucket"`
	// PrefixReplace puts PrefixTo in the place of PrefixFrom at the start of each key; without it both mean nothing.
	PrefixReplace     bool      `json:"prefixReplace,omitempty"`
	PrefixFrom        string    `json:"prefixFrom,omitempty"`
	PrefixTo          string    `json:"prefixTo,omitempty"`
	StorageClass      string    `json:"storageClass,omitempty"`
	SSE               string    `json:"sse,omitempty"`    // AES256, aws:kms or cos/kms
	SSEKey            string    `json:"sseKey,omitempty"` // the key's id for KMS
	Verify            string    `json:"verify,omitempty"` // off, head or checksum: how each copy is looked at
	ACL               string    `json:"acl,omitempty"`
	CannedACL         string    `json:"cannedAcl,omitempty"` // private or public-read
	Grants            []Grant   `json:"grants,omitempty"`
	Metadata          string    `json:"metadata,omitempty"`
	NewMetadata       *Metadata `json:"newMetadata,omitempty"`
	Tagging           string    `json:"tagging,omitempty"`
	NewTags           []Tag     `json:"newTags,omitzero"` // with Replaced, an empty list takes all tags away
	IfModifiedSince   time.Time `json:"ifModifiedSince,omitzero"`
	IfUnmodifiedSince time.Time `json:"ifUnmodifiedSince,omitzero"`
}

// Grant gives an account (ID) or a group (URI) one permission: READ, READ_ACP, WRITE_ACP or FULL_CONTROL.
type Grant struct {
	ID          string `json:"id,omitempty"`
	URI         string `json:"uri,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	Permission  string `json:"permission"`
}

// Metadata is what an object carries beside its body.
type Metadata struct {
	CacheControl       string            `json:"cacheControl,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	ContentType        string            `json:"contentType,omitempty"`
	Expires            string            `json:"expires,omitempty"` // an HTTP date
	User               map[string]string `json:"user,omitempty"`    // names without x-cos-meta- or x-amz-meta-
}

// Tag is one tag of an object.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Restore asks for temporary copies of archived objects.
type Restore struct {
	Days int    `json:"days,omitempty"` // 1–365; none with IntelligentTiering
	Tier string `json:"tier"`           // Standard or Bulk
	// TrustInventory fails the rows whose class in the inventory is no archive class, without a call.
	TrustInventory bool `json:"trustInventory,omitempty"`
	// IntelligentTiering restores from the archive tiers of intelligent tiering.
	IntelligentTiering bool `json:"intelligentTiering,omitempty"`
	// Wait ends a task when its object can be read, in place of when the store took the request.
	Wait bool `json:"wait,omitempty"`
}

// Delete deletes each object, or the version that its row names.
type Delete struct{}

// Tagging sets each object's tags.
type Tagging struct {
	Directive string `json:"directive,omitempty"` // Replaced or Add
	Tags      []Tag  `json:"tags"`
}

// ACL puts an access list in the place of each object's own: a canned one, or grants.
type ACL struct {
	Canned string  `json:"canned,omitempty"` // private or public-read
	Owner  *Owner  `json:"owner,omitempty"`  // nil = the owner that each object has
	Grants []Grant `json:"grants,omitempty"`
}

// Owner is an object's owner.
type Owner struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName,omitempty"`
}

// Report is where the completion report goes.
type Report struct {
	Enabled bool   `json:"enabled"`
	Region  string `json:"region,omitempty"` // empty = the job's
	Bucket  string `json:"bucket,omitempty"`
	Prefix  string `json:"prefix,omitempty"` // at most 512 bytes; 256 where COS's API is to show it
	Scope   string `json:"scope,omitempty"`  // AllTasks or FailedTasksOnly
}

// Job is a job as it stands.
type Job struct {
	ID      string  `json:"id"`
	Account Account `json:"account"`
	Spec    Spec    `json:"spec"`
	// Status is New, Preparing, Suspended, Ready, Active, Pausing, Paused, Completing, Complete, Cancelling, Cancelled,
	// Failing or Failed.
	Status         string    `json:"status"`
	Priority       int32     `json:"priority"`         // the present one
	Limits         *Limits   `json:"limits,omitempty"` // the present ones; nil = none
	StatusReason   string    `json:"statusReason,omitempty"`
	SuspendedCause string    `json:"suspendedCause,omitempty"`
	PausedByUser   bool      `json:"pausedByUser,omitempty"`
	Progress       Progress  `json:"progress"`
	Failures       []Failure `json:"failures,omitempty"` // why the job failed
	Created        time.Time `json:"created"`
	Suspended      time.Time `json:"suspended,omitzero"`
	Started        time.Time `json:"started,omitzero"`
	Terminated     time.Time `json:"terminated,omitzero"`
	Events         []Event   `json:"events,omitempty"` // oldest first, at most 200: 100 of what the job did, 100 of what was asked of it
	// ReportManifest is the key of the report's manifest once it is written.
	ReportManifest string `json:"reportManifest,omitempty"`
	// RetryOf is the job whose failed tasks this one does again.
	RetryOf string `json:"retryOf,omitempty"`
	// Sizes are those of the objects, as the manifest lists them; nil until it has been counted, and where it lists none.
	Sizes *Sizes `json:"sizes,omitempty"`
	// GeneratedManifest is what the spec's Generator has made; nil until then.
	GeneratedManifest *Manifest `json:"generatedManifest,omitempty"`
	// Revision changes with status, priority and what else is asked of the job, and not with its progress. It is what If
	// takes.
	Revision string `json:"revision"`
}

// Final reports whether the job has ended: Complete, Failed or Cancelled.
func (j Job) Final() bool {
	return j.Status == "Complete" || j.Status == "Failed" || j.Status == "Cancelled"
}

// Account is whose job it is.
type Account struct {
	UIN   string `json:"uin"`
	AppID string `json:"appId"`
}

// Sizes are those of a job's objects.
type Sizes struct {
	Bytes   int64 `json:"bytes"`   // of all
	Largest int64 `json:"largest"` // bytes of the largest
}

// Progress counts a job's tasks; Total is 0 until the manifest has been counted.
type Progress struct {
	Total     int64       `json:"total"`
	Succeeded int64       `json:"succeeded"`
	Failed    int64       `json:"failed"`
	ByCode    []CodeCount `json:"byCode,omitempty"` // failed tasks by error code, most first
	// Requested is how many restorations have been asked for, in a job that waits until the objects can be read.
	Requested int64 `json:"requested,omitempty"`
	// ActiveSeconds is the time the job has spent in Active.
	ActiveSeconds float64 `json:"activeSeconds"`
	// Provisional is set while some of it waits to be committed.
	Provisional bool `json:"provisional,omitempty"`
	// Rate is how many tasks ended a second over the last seconds; 0 when the job is not Active.
	Rate float64 `json:"rate,omitempty"`
	// RemainingSeconds is how long the rest takes at this rate; 0 when nobody can tell.
	RemainingSeconds float64 `json:"remainingSeconds,omitempty"`
}

// CodeCount counts the failed tasks of one error code.
type CodeCount struct {
	Code    string   `json:"code"`
	Count   int64    `json:"count"`
	Samples []string `json:"samples,omitempty"` // keys, at most 20
}

// Failure is why a job failed.
type Failure struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// Event is one move of a job's status.
type Event struct {
	Time   time.Time `json:"time"`
	From   string    `json:"from,omitempty"` // empty for the creation
	To     string    `json:"to"`
	Actor  string    `json:"actor,omitempty"` // an access key, or "system"
	Reason string    `json:"reason,omitempty"`
}

// JobList is one page of jobs, which have no Events there, and no Samples of failed tasks.
type JobList struct {
	Jobs []Job `json:"jobs"`
	// Next is the cursor of the next page; empty on the last.
	Next string `json:"next,omitempty"`
	// Counts counts the jobs of the whole listing by status, those in other statuses than were asked for too.
	Counts map[string]int64 `json:"counts"`
}

// Retry is how to do a job's failed tasks again. What is nil is as it was in that job.
type Retry struct {
	Token                string  `json:"token,omitempty"` // 1–64 bytes; empty = a random one
	ConfirmationRequired *bool   `json:"confirmationRequired,omitempty"`
	Description          *string `json:"description,omitempty"`
	Priority             *int32  `json:"priority,omitempty"`
}

// Work is how far the parts of a job are; only Pace is left of it once it has ended.
type Work struct {
	Chunks    int64     `json:"chunks"`    // that the manifest is cut into; 0 until it has been counted
	ChunkRows int       `json:"chunkRows"` // rows of a chunk; the last of a data file has fewer
	Waiting   int       `json:"waiting"`   // chunks that wait for a worker
	Running   int       `json:"running"`   // chunks that a worker has
	Segments  []Segment `json:"segments"`  // of the report, as written so far
	Pace      []Sample  `json:"pace"`      // oldest first, at most 121
}

// Sample is how many tasks had ended at a time.
type Sample struct {
	Time   time.Time `json:"time"`
	Done   int64     `json:"done"` // of these Failed failed
	Failed int64     `json:"failed"`
}

// Segment is a part of the report that has been written.
type Segment struct {
	Number int64         `json:"number"`
	Files  []SegmentFile `json:"files"`
}

// SegmentFile is a result file of a segment.
type SegmentFile struct {
	Name   string `json:"name"`
	Status string `json:"status"` // of its tasks: succeeded or failed
	Size   int64  `json:"size"`
	Rows   int64  `json:"rows"`
}

// ReportFiles lists a report's result files.
type ReportFiles struct {
	Files []ReportFile `json:"files"`
}

// ReportFile is a result file of a completion report.
type ReportFile struct {
	Name   string `json:"name"`   // unique in the report
	Status string `json:"status"` // of its tasks: succeeded or failed
	Bucket string `json:"bucket,omitempty"`
	Key    string `json:"key"`
	MD5    string `json:"md5"` // lower-case hex
	// Link is where the file can be had from this server, signed like every other request.
	Link string `json:"link"`
}

// Reason is the body of the calls that move a job.
type Reason struct {
	Reason string `json:"reason,omitempty"` // at most 256 bytes
}

// Tags are a job's own tags.
type Tags struct {
	Tags []Tag `json:"tags"`
}

// Priority is the body of the call that changes a job's priority.
type Priority struct {
	Priority *int32 `json:"priority"`
}

// Error is an answer that is no success (RFC 9457, application/problem+json).
type Error struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"` // the HTTP status
	// Code is for programs: InvalidArgument, NoSuchJob, Conflict, AccessDenied and so on.
	Code      string `json:"code"`
	Message   string `json:"message"` // a sentence for people
	Field     string `json:"field,omitempty"`
	RequestID string `json:"requestId,omitempty"`
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the server answered HTTP %d", e.Status)
	}
	return e.Message
}
