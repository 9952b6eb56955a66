// Package engine runs jobs: coordinator (one leader a job), dispatcher, worker, collector and scheduler over a Carrier.
// What is true stands in the manifest's plan, the job's checkpoint and the report's segments; the carrier only carries
// what is in flight. docs/adr and ARCHITECTURE.md say why.
package engine
