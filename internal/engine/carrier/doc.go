// Package carrier is engine.Carrier on an embedded NATS JetStream server. It is the only importer of nats.
//
// It owns one folder, which one process at a time may hold, and in it
//
//   - the record stores JOBS and DONE (files) and LIVE (memory, gone engine.LiveTTL after the last write);
//   - the stream WORK, subjects work.<job>.<phase>.<chunk>: chunks that wait or run. An open queue is the consumer
//     w_<job>;
//   - the stream RES, subjects res.<job>.<phase>.<chunk>.<attempt>.<part>: hand-ins that wait to be collected.
//
// What a call reported as stored survives the end of the process, and, with Options.Sync, of the machine. Acks are not
// synced: a chunk whose ack was lost with the machine runs again. Consumers live in memory; Open makes them anew.
//
// The server listens on no port: everything goes through memory.
//
// Memory: some 20 MB when idle. While hand-ins are collected as they come, a process that moves 100 KB ones stays around
// 100 MB. What stands uncollected is cached by the server for 10 s after it was written, but only for as long as the
// garbage collector lets it: a process that must stay small sets debug.SetMemoryLimit, at no measurable cost (2,000
// hand-ins of 100 KB standing: 360 MB without a limit, 125 MB with one of 100 MB).
package carrier
