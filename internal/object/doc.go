// Package object is the port to object stores: the types and small interfaces that operations, the engine and the
// report need, and the errors they act on. Drivers below it (httpwire) implement the interfaces; programs act on
// Error.Code, Error.Status and Retryable, never on messages.
package object
