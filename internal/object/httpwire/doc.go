// Package httpwire is the driver that speaks HTTP to object stores, in two dialects: s3 (Signature Version 4,
// x-amz-* headers, buckets by path or by host) and cos (q-sign-algorithm, x-cos-* headers, buckets by host). It builds,
// signs and sends the calls of package object, reads the answers, classes what went wrong and repeats what is worth it.
//
// # Repeats
//
// A call is repeated when its failure is transient or a throttle, at most Options.MaxAttempts times in all, after a
// pause with full jitter (up to 50 ms, doubling to 5 s) or the store's Retry-After, whichever is longer. Every call of the
// port may be repeated, because each states an end and not a step: a second Put, Copy, PutTags or PutACL writes what
// the first wrote, a second Delete finds nothing left to delete. On a bucket with versioning a repeat of a call whose
// answer was lost leaves one more version (Put, Copy) or delete marker (Delete without a version); the object that
// readers see is the same. Where the lost first attempt changes the answer to the second one, the driver knows:
//   - Restore: RestoreAlreadyInProgress after an attempt without an answer is that attempt's success.
//   - Delete: NoSuchKey or NoSuchVersion after an attempt without an answer is that attempt's success.
//   - Copy of an object onto itself under a condition is not repeated after an attempt without an answer: the first
//     may have changed what the condition looks at. The caller gets the transient error.
//
// # Metadata
//
// Values of user metadata pass through byte by byte in both directions, so that what was read can be written back
// unchanged. Text beyond ASCII goes out as raw UTF-8, which S3 and COS take; AWS answers it in RFC 2047's encoding, and
// decodes that when it is written back. Bytes that no header can carry (CR, LF, NUL and other controls) are refused
// before anything is sent.
package httpwire
