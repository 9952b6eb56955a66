package job

// ManifestFormat is a manifest's format, in COS's words.
type ManifestFormat string

// The formats of COS.
const (
	FormatCSV       ManifestFormat = "COSBatchOperations_CSV_V1"
	FormatInventory ManifestFormat = "COSInventoryReport_CSV_V1"
)

// Field is a column of a CSV manifest.
type Field string

// The columns of COS.
const (
	FieldIgnore  Field = "Ignore"
	FieldBucket  Field = "Bucket"
	FieldKey     Field = "Key"
	FieldVersion Field = "VersionId"
)

// Location is where a manifest lies: an object, or, for a job in the foreground, a local file.
type Location struct {
	Region  Region // as the ARN names it; "" = not named
	Bucket  Bucket
	Key     Key
	Version Version
	ETag    string // without quotes; "" only for local files
	Path    string // a local file; Bucket and Key are then empty
}

// Manifest is which objects a job is about.
type Manifest struct {
	Format   ManifestFormat
	Fields   []Field // for FormatCSV only
	Location Location
	// PlusSpace says that + in a key is a space, as in the CSV of the AWS S3 API; for FormatCSV only. In inventories it
	// always is.
	PlusSpace bool
}

// ReportScope says which tasks stand in the completion report.
type ReportScope string

// The two scopes.
const (
	AllTasks        ReportScope = "AllTasks"
	FailedTasksOnly ReportScope = "FailedTasksOnly"
)

// The names that COS and S3 have for a report's format. It is one and the same here.
const (
	ReportFormat   = "Report_CSV_V1"
	ReportFormatS3 = "Report_CSV_20180820"
)

// Report is where a completion report goes, and what stands in it.
type Report struct {
	Enabled bool
	Region  Region
	Bucket  Bucket
	Prefix  string // at most MaxReportPrefix bytes
	Scope   ReportScope
	Path    string // a local folder, for a job in the foreground; Bucket is then empty
	Format  string // what its manifest.json calls its format; "" = ReportFormat
}

// Operation is what a job does to each object. The operation package holds all of them; the domain needs only this.
type Operation interface {
	// Name is copy, restore, delete, tagging or acl.
	Name() string
	// Validate checks every parameter; its errors carry InvalidArgument and the field's name.
	Validate() error
}

// Request keeps what a caller sent, so that the same protocol can give it back to the letter.
type Request struct {
	Protocol string // "cos", "s3", "json", "cli"
	Body     []byte // at most 64 KiB; its protocol's package alone reads it
}

// Spec is what a caller asks for.
type Spec struct {
	Token                string // ClientRequestToken, 1–64 bytes
	Account              Account
	Region               Region
	ConfirmationRequired bool
	Description          string // 0–256 bytes
	Manifest             Manifest
	Generator            *Generator // in place of a Manifest: makes it; nil = the manifest is given
	Operation            Operation
	Priority             Priority
	Limits               Limits // of its calls, all workers together
	Report               Report
	Role                 Role
	Tags                 []Tag // of the job itself, at most 50; what it was made with
	Request              Request
	RetryOf              ID // the job whose failed tasks this one does again; "" = none
}
