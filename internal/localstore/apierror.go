package localstore

import (
	"fmt"
	"net/http"
)

// apiError is a refusal as the protocols tell it (AWS S3 API, Error Responses; Tencent 436/7730).
type apiError struct {
	status  int
	code    string
	message string
	headers map[string]string // without the dialect's prefix
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// with gives the error with one more header.
func (e *apiError) with(name, value string) *apiError {
	out := *e
	out.headers = map[string]string{name: value}
	for k, v := range e.headers {
		out.headers[k] = v
	}
	return &out
}

// because gives the error with another sentence.
func (e *apiError) because(format string, args ...any) *apiError {
	out := *e
	out.message = fmt.Sprintf(format, args...)
	return &out
}

func refuse(status int, code, message string) *apiError {
	return &apiError{status: status, code: code, message: message}
}

var (
	errAccessDenied        = refuse(http.StatusForbidden, "AccessDenied", "Access Denied.")
	errBadSignature        = refuse(http.StatusForbidden, "SignatureDoesNotMatch", "The signature does not match the one that was calculated from the request.")
	errNoSuchAccessKey     = refuse(http.StatusForbidden, "InvalidAccessKeyId", "The access key is not known to this store.")
	errTimeSkewed          = refuse(http.StatusForbidden, "RequestTimeTooSkewed", "The request's time and the server's differ by more than 15 minutes.")
	errInvalidToken        = refuse(http.StatusBadRequest, "InvalidToken", "The security token is not that of the access key.")
	errExpiredToken        = refuse(http.StatusBadRequest, "ExpiredToken", "The temporary keys have expired.")
	errExpired             = refuse(http.StatusForbidden, "AccessDenied", "Request has expired.")
	errAuthMalformed       = refuse(http.StatusBadRequest, "AuthorizationHeaderMalformed", "The authorization does not parse.")
	errNotImplemented      = refuse(http.StatusNotImplemented, "NotImplemented", "This store does not offer what the request asks for.")
	errMethodNotAllowed    = refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method is not allowed on this resource.")
	errMarkerMethod        = refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The version is a delete marker.")
	errInternal            = refuse(http.StatusInternalServerError, "InternalError", "The store met an internal error.")
	errInvalidURI          = refuse(http.StatusBadRequest, "InvalidURI", "The path does not name a bucket and a key in UTF-8.")
	errInvalidArgument     = refuse(http.StatusBadRequest, "InvalidArgument", "An argument is not valid.")
	errInvalidRequest      = refuse(http.StatusBadRequest, "InvalidRequest", "The request is not valid.")
	errMalformedXML        = refuse(http.StatusBadRequest, "MalformedXML", "The XML is not well-formed or lacks a required part.")
	errMalformedACL        = refuse(http.StatusBadRequest, "MalformedACLError", "The access list is not valid.")
	errKeyTooLong          = refuse(http.StatusBadRequest, "KeyTooLongError", "A key has at most 1,024 bytes.")
	errMetadataTooLarge    = refuse(http.StatusBadRequest, "MetadataTooLarge", "User metadata has at most 2,048 bytes.")
	errInvalidBucketName   = refuse(http.StatusBadRequest, "InvalidBucketName", "The bucket's name is not valid.")
	errNoSuchBucket        = refuse(http.StatusNotFound, "NoSuchBucket", "The bucket does not exist.")
	errBucketOwned         = refuse(http.StatusConflict, "BucketAlreadyOwnedByYou", "The bucket exists and is yours.")
	errBucketNotEmpty      = refuse(http.StatusConflict, "BucketNotEmpty", "The bucket holds objects or versions; delete them first.")
	errNoSuchKey           = refuse(http.StatusNotFound, "NoSuchKey", "The key does not exist.")
	errNoSuchVersion       = refuse(http.StatusNotFound, "NoSuchVersion", "The version does not exist.")
	errNoSuchTagSet        = refuse(http.StatusNotFound, "NoSuchTagSet", "The bucket has no tags.")
	errNoSuchUpload        = refuse(http.StatusNotFound, "NoSuchUpload", "The multipart upload does not exist; it may have been completed or aborted.")
	errInvalidPart         = refuse(http.StatusBadRequest, "InvalidPart", "A part was not uploaded, or its ETag or checksum differs.")
	errInvalidPartOrder    = refuse(http.StatusBadRequest, "InvalidPartOrder", "The parts are not in ascending order.")
	errEntityTooSmall      = refuse(http.StatusBadRequest, "EntityTooSmall", "All parts but the last have at least 5 MiB.")
	errEntityTooLarge      = refuse(http.StatusBadRequest, "EntityTooLarge", "A single upload has at most 5 GiB.")
	errBadDigest           = refuse(http.StatusBadRequest, "BadDigest", "The body differs from its Content-MD5 or checksum.")
	errInvalidDigest       = refuse(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 or checksum is not valid.")
	errBadContentSHA       = refuse(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The body differs from x-amz-content-sha256.")
	errIncompleteBody      = refuse(http.StatusBadRequest, "IncompleteBody", "The body is not as long as it was said to be.")
	errPrecondition        = refuse(http.StatusPreconditionFailed, "PreconditionFailed", "A condition of the request does not hold.")
	errNotModified         = refuse(http.StatusNotModified, "NotModified", "Not modified.")
	errInvalidRange        = refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The range lies outside of the object.")
	errInvalidStorageClass = refuse(http.StatusBadRequest, "InvalidStorageClass", "The storage class is unknown.")
	errInvalidTag          = refuse(http.StatusBadRequest, "InvalidTag", "A tag is not valid, or there are more than 10.")
	errObjectArchived      = refuse(http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class; restore the object first.")
	errNotArchivedS3       = refuse(http.StatusForbidden, "InvalidObjectState", "Restore is not allowed for the object's current storage class.")
	errNotArchivedCOS      = refuse(http.StatusMethodNotAllowed, "RestoreNonArchiveObject", "The object is not archived.")
	errRestoreInProgress   = refuse(http.StatusConflict, "RestoreAlreadyInProgress", "Object restore is already in progress.")
	errInvalidTier         = refuse(http.StatusBadRequest, "InvalidArgument", "The storage class does not offer this retrieval tier.")
	errSelfCopy            = refuse(http.StatusBadRequest, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
)
