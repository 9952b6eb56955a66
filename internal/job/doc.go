// Package job is Drover's domain: what a job is, what it may be asked, how its status moves, and how a task ends.
//
// It imports the standard library only, knows no wire format and does no I/O. Every entrance (COS XML, S3 XML, JSON,
// command line, console) decodes into a Spec and calls Spec.Validate; nothing behind that checks again.
package job
