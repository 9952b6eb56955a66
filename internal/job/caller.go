package job

import (
	"slices"
	"strings"
	"time"
)

// Caller is who calls, after the signature was verified.
type Caller struct {
	Account   Account
	Principal string // the access key
	// IfRevision makes a change of a job, or of a region's limits, conditional: what has another Revision is left alone, and the change is
	// Precondition. "" = no condition.
	IfRevision string
}

// Filter narrows a listing of jobs.
type Filter struct {
	Statuses  []Status  // empty = all
	Since     time.Time // created at or after; zero = no bound
	Operation string    // its name; "" = all
	Search    string    // what the id or the description must have in it, in small letters or capitals; "" = all
}

// Page asks for a part of a listing of jobs.
type Page struct {
	Max   int // 1–1,000
	After ID  // list what follows this job; "" = from the start. InvalidArgument when there is no such job
	// AfterCreated is when After was created, where the caller has kept that: the listing then goes on even when the job
	// is gone.
	AfterCreated time.Time
	// NewestFirst turns the listing around.
	NewestFirst bool
}

// Matches reports whether a job with these properties is one that the filter asks for.
func (f Filter) Matches(id ID, status Status, operation, description string) bool {
	return (len(f.Statuses) == 0 || slices.Contains(f.Statuses, status)) &&
		(f.Operation == "" || f.Operation == operation) &&
		(f.Search == "" || containsFold(string(id), f.Search) || containsFold(description, f.Search))
}

// containsFold is strings.Contains under simple case folding, without making copies: it is asked of every job.
func containsFold(s, part string) bool {
	if part == "" {
		return true
	}
	first := part[0]
	for i := 0; i+len(part) <= len(s); i++ {
		// Most places are told apart by one byte: letters of ASCII differ in one bit at most, others not at all.
		if (s[i]^first)&^0x20 == 0 && strings.EqualFold(s[i:i+len(part)], part) || first >= 0x80 && strings.EqualFold(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}
