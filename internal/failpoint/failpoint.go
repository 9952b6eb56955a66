// Package failpoint names the places at which a crash is told from any other: between two writes that belong together.
// Built with the tag failpoints, the process kills itself with SIGKILL at the one that DROVER_KILL_AT names; in all
// other builds Hit is empty, and nothing of this package is left in the binary.
package failpoint

// Point is a place in the life of a job.
type Point string

// The places, in the order of a job's life.
const (
	TokenWritten Point = "token-written" // the request's token claims an id, the job is not there yet
	JobWritten   Point = "job-written"   // the job is there, its caller has no answer

	FileSurveyed Point = "file-surveyed" // while preparing: one more data file is pinned
	LeadTaken    Point = "lead-taken"    // after a restart: the state has a new leader, which has done nothing
	PlanWritten  Point = "plan-written"  // the manifest is pinned, the job still Preparing
	StateMoved   Point = "state-moved"   // a status was written, what it asks for is not begun

	QueueOpened     Point = "queue-opened"     // workers can claim, nothing is dispatched
	ChunkQueued     Point = "chunk-queued"     // a chunk was acknowledged, the cursor is behind it
	CursorUnwritten Point = "cursor-unwritten" // as many chunks as a cursor covers are queued
	CursorWritten   Point = "cursor-written"

	ChunkClaimed Point = "chunk-claimed" // none of its rows was started
	RowEnded     Point = "row-ended"     // its outcome is in memory only
	ResultUnsent Point = "result-unsent" // rows have ended, their hand-in is not stored
	ResultStored Point = "result-stored" // it is, the chunk is not acknowledged
	ChunkAcked   Point = "chunk-acked"   // acknowledged; the acknowledgement may not be on disk

	UploadMade      Point = "upload-made"      // the store knows of a copy by parts, its record does not exist
	UploadSaved     Point = "upload-saved"     // it does, no part was made
	PartMade        Point = "part-made"        // some parts are there
	UploadUnjoined  Point = "upload-unjoined"  // all parts are there, they are not one object
	UploadJoined    Point = "upload-joined"    // the object is whole, the record is still there
	UploadForgotten Point = "upload-forgotten" // the record is gone, the row's outcome in memory only

	IntentWritten     Point = "intent-written"     // the checkpoint announces a segment of which no file is there
	OneFileWritten    Point = "one-file-written"   // one of its files is
	FilesWritten      Point = "files-written"      // all are, the checkpoint does not name them
	CheckpointWritten Point = "checkpoint-written" // it does, the results are still stored
	ResultsPurged     Point = "results-purged"

	QueueShut   Point = "queue-shut"   // nothing is claimed any more, chunks may be held
	Drained     Point = "drained"      // nothing is held and all is committed; chunks are still queued
	QueuePurged Point = "queue-purged" // … no more; the status still says Pausing, Failing or Cancelling

	EndingFiles   Point = "ending-files"   // the report's files are whole, its manifest is not there
	ChecksumThere Point = "checksum-there" // the manifest's checksum is, the manifest is not
	ReportWritten Point = "report-written" // it is, the status still says Completing, Failing or Cancelling
	DoneWritten   Point = "done-written"   // the job is with the finished ones and with the open ones
	RecordRemoved Point = "record-removed" // some of its records are gone
)

// The places of a move of all jobs to another engine, which Points leaves out.
const (
	MoveHeld     Point = "move-held"     // both engines are held, no job has come to rest for it
	MoveExported Point = "move-exported" // all are at rest and written to a file
	MoveImported Point = "move-imported" // the target has them, and so has the source
	MoveMade     Point = "move-made"     // the source says that they are the target's, which is held still
	MoveLetGo    Point = "move-let-go"   // the target is held no more, the source has records of them still
)

// Points lists those of a job's life.
func Points() []Point {
	return []Point{
		TokenWritten, JobWritten, FileSurveyed, LeadTaken, PlanWritten, StateMoved, QueueOpened, ChunkQueued, CursorUnwritten, CursorWritten,
		ChunkClaimed, RowEnded, ResultUnsent, ResultStored, ChunkAcked, UploadMade, UploadSaved, PartMade, UploadUnjoined, UploadJoined, UploadForgotten,
		IntentWritten, OneFileWritten, FilesWritten, CheckpointWritten, ResultsPurged, QueueShut, Drained, QueuePurged,
		EndingFiles, ChecksumThere, ReportWritten, DoneWritten, RecordRemoved,
	}
}
