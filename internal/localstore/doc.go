// Package localstore is the object store inside `drover dev` and `drover demo`: one listener that speaks S3 (SigV4) and
// COS (q-sign-algorithm) to the same flat store in one folder.
//
// It promises what a batch product's own test store must: every legal key is its own object, the archive classes have
// their restore life cycle, conditions and directives are honoured rather than ignored, and what was answered with
// success is on disk. Metadata and small bodies live in an ordered key-value store whose commits share their fsyncs;
// larger bodies are files, written and synced before the record that names them. See docs/adr/0003-flat-store.md.
//
// Addressing: a request signed with q-sign takes its bucket from the first label of Host. A SigV4 request does so when
// its Host is `<bucket>.s3.…`, `<bucket>.cos.…` or `<bucket>.localhost`, and takes it from the path otherwise.
//
// Keys with control characters survive only in listings with encoding-type=url: XML 1.0 cannot carry them.
//
// It leaves to others, and answers 501 NotImplemented to: bucket policies, object lock, life cycle rules, inventory
// configuration, CORS, websites, SSE-C, SSE-KMS and browser form uploads. There is one account; anonymous requests are
// refused, so access lists are kept and shown but open nothing.
package localstore
