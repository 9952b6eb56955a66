// Package carrier is engine.Carrier on NATS JetStream. It is the only importer of nats.
//
// Open runs an embedded server. It owns one folder, which one process at a time may hold, and in it
//
//   - the record stores JOBS and DONE (files) and LIVE (memory, gone engine.LiveTTL after the last write);
//   - the stream WORK, subjects work.<job>.<phase>.<chunk>: chunks that wait or run. An open queue is the consumer
//     w_<job>;
//   - the stream RES, subjects res.<job>.<phase>.<chunk>.<attempt>.<part>: hand-ins that wait to be collected.
//
// What a call reported as stored survives the end of the process, and, with Options.Sync, of the machine. Acks are not
// synced: a chunk whose ack was lost with the machine runs again. Consumers live in memory.
//
// A single node's server listens on no port: everything goes through memory. Open makes a queue's consumer anew, so that
// what was claimed before comes back at once.
//
// # Clusters
//
// With Options.Cluster the server is one of three or more that hold every stream three times, LIVE and the consumers in
// memory; Dial joins as a client. While two of three nodes run, what was reported as stored is kept and all calls work.
// When a node is lost, those of its streams that it led stand still for 4–9 s, and requests are dropped: calls try again
// for some 25 s within their context, watches and readers of results go on where they were, and pulls are repeated. A
// refusal that what is stored does not explain (a deposed leader's, or one for the sake of a write that was never agreed
// on) counts as no answer, so that a lone writer sees no conflict; messages bear an id, so that a request that lay in a
// stopped node does nothing a second time. Reads are answered by leaders.
//
// What differs from a single node:
//
//   - Open makes a missing consumer and takes nothing from live workers: what was claimed comes back by AckWait alone.
//     Attempts go on being counted.
//   - A lease does not see that its queue was shut and opened again; Extend then fails or is not answered.
//   - Records of LIVE can expire while their stream has no leader, since they cannot be written then.
//   - A deletion that no watch could see for half a minute is reported with the last revision seen.
//   - A node that was stopped and wakes up may answer a read with what it last knew, for the moment until it hears of its
//     successor.
//
// Membership is what the nodes' Routes say, and never changes while they run. A folder belongs to a single node or to one
// node of one cluster for good (its file carrier.kind); Export and Import carry records over. Without TLS and users all
// addresses must be loopback ones; Role tells what users may do.
//
// # Memory
//
// Some 20 MB when idle. While hand-ins are collected as they come, a process that moves 100 KB ones stays around 100 MB.
// What stands uncollected is cached by the server for 10 s after it was written, but only for as long as the garbage
// collector lets it: a process that must stay small sets debug.SetMemoryLimit, at no measurable cost (2,000 hand-ins of
// 100 KB standing: 360 MB without a limit, 125 MB with one of 100 MB).
package carrier
