package job

import "time"

// Caller is who calls, after the signature was verified.
type Caller struct {
	Account   Account
	Principal string // the access key
}

// Filter narrows a listing of jobs.
type Filter struct {
	Statuses []Status  // empty = all
	Since    time.Time // created at or after; zero = no bound
}

// Page asks for a part of a listing of jobs.
type Page struct {
	Max   int // 1–1,000
	After ID  // list what follows this job; "" = from the start. InvalidArgument when there is no such job
}
