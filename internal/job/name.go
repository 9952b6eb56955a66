package job

import "time"

// ID names a job: a UUID, 36 characters. COS and S3 allow 5–36 of [A-Za-z0-9-_].
type ID string

// Bucket is a bucket's full name; on COS name-appid.
type Bucket string

// Key is an object's key, decoded: at most 1,024 bytes of any value.
type Key string

// Version is an object's version id; "" means the latest at the time of the call.
type Version string

// Region names a configured store endpoint.
type Region string

// Priority orders jobs: a larger value runs first. 0–2147483647.
type Priority int32

// Account is whose jobs they are: COS's UIN and APPID. The UIN serves as the AWS-style account id too.
type Account struct {
	UIN   string
	AppID string
}

// Role names the right that a job runs with. ARN is kept as the caller wrote it; Account and Name are its parts.
type Role struct {
	ARN     string
	Account string // the owner's UIN
	Name    string
}

// Entry is one row of a manifest.
type Entry struct {
	Row          int64 // number in the whole manifest, from 0
	Bucket       Bucket
	Key          Key
	Version      Version
	DeleteMarker bool // an inventory row that lists a delete marker
	// From inventories only; zero elsewhere.
	Size  int64
	ETag  string
	Class string
}

// Tag is one tag of an object or of a job.
type Tag struct {
	Key   string
	Value string
}

// Event is one move of a job's status, or another thing worth keeping.
type Event struct {
	Time   time.Time
	From   Status // "" for the creation; as To where the status stayed
	To     Status
	Actor  string // an access key, or "system"
	Reason string
}

// Moved reports whether the status changed; else something else of the job did.
func (e Event) Moved() bool { return e.From != e.To }
