package localstore

import (
	"encoding/xml"
	"time"
)

// The documents of the protocols. Both dialects share them; what only one has is left out of the other by omitempty.

type errorOut struct {
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
	TraceID   string `xml:"TraceId,omitempty"`
}

type ownerOut struct {
	ID          string
	DisplayName string
}

type listBucketsOut struct {
	Owner   ownerOut
	Buckets struct {
		Bucket []bucketOut
	}
	Prefix string `xml:",omitempty"`
}

type bucketOut struct {
	Name         string
	Location     string `xml:",omitempty"` // COS
	BucketRegion string `xml:",omitempty"` // S3
	CreationDate string
}

type createBucketIn struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string
}

type versioningConfig struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
	Status  string   `xml:",omitempty"`
}

type taggingDoc struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []tag    `xml:"TagSet>Tag"`
}

type restoreIn struct {
	XMLName  xml.Name `xml:"RestoreRequest"`
	Days     string
	Glacier  tierIn `xml:"GlacierJobParameters"`
	CAS      tierIn `xml:"CASJobParameters"`
	TopLevel string `xml:"Tier"`
}

type tierIn struct {
	Tier string
}

type accessControlPolicyIn struct {
	XMLName xml.Name `xml:"AccessControlPolicy"`
	Grants  []struct {
		Grantee struct {
			ID          string
			URI         string
			DisplayName string
		}
		Permission string
	} `xml:"AccessControlList>Grant"`
}

type accessControlPolicyOut struct {
	Owner  ownerOut
	Grants []grantOut `xml:"AccessControlList>Grant"`
}

type grantOut struct {
	Grantee    granteeOut
	Permission string
}

type granteeOut struct {
	XSI         string `xml:"xmlns:xsi,attr"`
	Type        string `xml:"xsi:type,attr"`
	ID          string `xml:",omitempty"`
	DisplayName string `xml:",omitempty"`
	URI         string `xml:",omitempty"`
}

type copyOut struct {
	ETag         string
	LastModified string
	CRC64        string `xml:",omitempty"` // COS
	VersionID    string `xml:"VersionId,omitempty"`
	checksumsOut
}

// checksumsOut are S3's checksums as elements.
type checksumsOut struct {
	CRC32     string `xml:"ChecksumCRC32,omitempty"`
	CRC32C    string `xml:"ChecksumCRC32C,omitempty"`
	CRC64NVME string `xml:"ChecksumCRC64NVME,omitempty"`
	SHA1      string `xml:"ChecksumSHA1,omitempty"`
	SHA256    string `xml:"ChecksumSHA256,omitempty"`
	SHA512    string `xml:"ChecksumSHA512,omitempty"`
	MD5       string `xml:"ChecksumMD5,omitempty"`
	Type      string `xml:"ChecksumType,omitempty"`
}

func (s *checksum) elements() checksumsOut {
	var out checksumsOut
	if s == nil {
		return out
	}
	switch s.Algorithm {
	case "crc32":
		out.CRC32 = s.Value
	case "crc32c":
		out.CRC32C = s.Value
	case "crc64nvme":
		out.CRC64NVME = s.Value
	case "sha1":
		out.SHA1 = s.Value
	case "sha256":
		out.SHA256 = s.Value
	case "sha512":
		out.SHA512 = s.Value
	case "md5":
		out.MD5 = s.Value
	}
	out.Type = s.kind()
	return out
}

// kind is S3's word for how a checksum covers a multipart object.
func (s *checksum) kind() string {
	if s.Composite {
		return "COMPOSITE"
	}
	return "FULL_OBJECT"
}

type deleteIn struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []deleteObjectIn `xml:"Object"`
}

type deleteObjectIn struct {
	Key       string
	VersionID string `xml:"VersionId"`
	ETag      string
}

type deleteOut struct {
	Deleted []deletedOut
	Error   []deleteErrorOut
}

type deletedOut struct {
	Key                   string
	VersionID             string `xml:"VersionId,omitempty"`
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
}

type deleteErrorOut struct {
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
	Code      string
	Message   string
}

type listOut struct {
	Name                  string
	Prefix                string
	Marker                *string `xml:",omitempty"` // version 1
	NextMarker            string  `xml:",omitempty"`
	StartAfter            string  `xml:",omitempty"` // version 2
	ContinuationToken     string  `xml:",omitempty"`
	NextContinuationToken string  `xml:",omitempty"`
	KeyCount              *int    `xml:",omitempty"`
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	IsTruncated           bool
	EncodingType          string `xml:",omitempty"`
	Contents              []contentOut
	CommonPrefixes        []prefixOut
}

type prefixOut struct {
	Prefix string
}

type contentOut struct {
	Key               string
	LastModified      string
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	Owner             *ownerOut `xml:",omitempty"`
	StorageClass      string
	RestoreStatus     *restoreStatusOut `xml:",omitempty"`
}

// restoreStatusOut is a word in COS and elements in S3.
type restoreStatusOut struct {
	Text       string `xml:",chardata"`
	InProgress *bool  `xml:"IsRestoreInProgress,omitempty"`
	Expiry     string `xml:"RestoreExpiryDate,omitempty"`
}

type listVersionsOut struct {
	Name                string
	Prefix              string
	KeyMarker           string
	VersionIDMarker     string `xml:"VersionIdMarker"`
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys             int
	Delimiter           string `xml:",omitempty"`
	IsTruncated         bool
	EncodingType        string `xml:",omitempty"`
	Versions            []versionOut
	CommonPrefixes      []prefixOut
}

// versionOut is a version or a delete marker: the element's name says which.
type versionOut struct {
	XMLName       xml.Name
	Key           string
	VersionID     string `xml:"VersionId"`
	IsLatest      bool
	LastModified  string
	ETag          string `xml:",omitempty"`
	Size          *int64 `xml:",omitempty"`
	StorageClass  string `xml:",omitempty"`
	Owner         ownerOut
	RestoreStatus *restoreStatusOut `xml:",omitempty"`
}

type initiateOut struct {
	Bucket   string
	Key      string
	UploadID string `xml:"UploadId"`
}

type completeIn struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber int
		ETag       string
	} `xml:"Part"`
}

type completeOut struct {
	Location string
	Bucket   string
	Key      string
	ETag     string
	checksumsOut
}

type listPartsOut struct {
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	Initiator            ownerOut
	Owner                ownerOut
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int `xml:",omitempty"`
	MaxParts             int
	IsTruncated          bool
	EncodingType         string    `xml:",omitempty"`
	Parts                []partOut `xml:"Part"`
}

type partOut struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	checksumsOut
}

type listUploadsOut struct {
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Prefix             string
	Delimiter          string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	EncodingType       string      `xml:",omitempty"`
	Uploads            []uploadOut `xml:"Upload"`
	CommonPrefixes     []prefixOut
}

type uploadOut struct {
	Key          string
	UploadID     string `xml:"UploadId"`
	Initiator    ownerOut
	Owner        ownerOut
	StorageClass string
	Initiated    string
}

type attributesOut struct {
	ETag         string          `xml:",omitempty"`
	Checksum     *checksumsOut   `xml:",omitempty"`
	ObjectParts  *objectPartsOut `xml:",omitempty"`
	StorageClass string          `xml:",omitempty"`
	ObjectSize   *int64          `xml:",omitempty"`
}

type objectPartsOut struct {
	TotalPartsCount int `xml:"PartsCount"`
}

// xmlTime is a time as the documents write it.
func xmlTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
