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
package carrier
