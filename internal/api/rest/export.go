package rest

import (
	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/job"
)

// FromSpec gives a spec's form in the API, for the command line, which builds the domain's.
func FromSpec(s job.Spec) client.Spec { return fromSpec(s) }

// FromJob gives a job's form in the API, for commands that print jobs of their own process.
func FromJob(j job.Job) client.Job { return fromJob(j) }
