package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
)

type manifestLintCmd struct {
	manifestArg
}

// Help says what is looked for, and how it ends.
func (c *manifestLintCmd) Help() string {
	return `Where a job, and "manifest count", end at the first row that is wrong, this reads on and names them all by kind, with the lines of
the first ten. It also warns of what a job would accept but may not have been meant: keys that seem not to be encoded, or
encoded twice, plus signs, delete markers, and objects listed twice (the first 8,388,608 rows are compared with all others, the rest with
their neighbours). The exit code is 1 when a job would refuse the manifest; warnings alone leave it 0.

` + credentialsHelp
}

type lintResult struct {
	Rows     int64         `json:"rows"`
	Files    int           `json:"files"`
	Compared int64         `json:"compared"` // rows looked for among all others
	Findings []lintFinding `json:"findings"`
}

type lintFinding struct {
	Rank    string      `json:"rank"`
	Code    string      `json:"code"`
	Count   int64       `json:"count"`
	Message string      `json:"message"`
	Places  []lintPlace `json:"places"`
}

type lintPlace struct {
	File  string `json:"file"`
	Line  int64  `json:"line,omitempty"`
	Field string `json:"field,omitempty"`
}

// Run lints the manifest.
func (c *manifestLintCmd) Run(ctx context.Context, sh *shell) error {
	m, files, err := c.open(ctx, sh)
	if err != nil {
		return err
	}
	l, err := manifest.Lint(ctx, files, m, manifest.Options{})
	if err != nil {
		return err
	}
	if c.json() {
		err = sh.json(fromLinted(l))
	} else {
		err = c.show(sh, l)
	}
	if n := l.Errors(); err == nil && n > 0 {
		return job.Errorf(job.InvalidRequest, "A job would refuse %s: %s.", sh.foreign(c.File), plural(n, "error"))
	}
	return err
}

func (c *manifestLintCmd) show(sh *shell, l *manifest.Linted) error {
	for _, f := range l.Findings {
		first := f.Places[0]
		sh.printf("%s %s (%s): %s%s\n", f.Rank, f.Code, count(f.Count), whereOf(sh, first), f.Message)
		if more := furtherLines(f); more != "" {
			sh.printf("  also %s\n", more)
		}
	}
	sh.printf("%s in %s that a job can work on, %s of finding\n", plural(l.Rows, "row"), plural(int64(l.Files), "file"),
		plural(int64(len(l.Findings)), "kind"))
	return nil
}

// whereOf names where a finding stands, for people.
func whereOf(sh *shell, p manifest.Place) string {
	var parts []string
	if p.File != "" {
		parts = append(parts, sh.foreign(p.File))
	}
	if p.Row > 0 {
		parts = append(parts, "line "+strconv.FormatInt(p.Row, 10))
	}
	if p.Field != "" {
		parts = append(parts, p.Field)
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + ": "
}

// furtherLines names the places behind the first one; files only where they are others.
func furtherLines(f manifest.Finding) string {
	var parts []string
	file := f.Places[0].File
	for _, p := range f.Places[1:] {
		s := "line " + strconv.FormatInt(p.Row, 10)
		if p.Row == 0 {
			s = p.File
		} else if p.File != file {
			s = p.File + " " + s
		}
		parts, file = append(parts, s), p.File
	}
	if rest := f.Count - int64(len(f.Places)); rest > 0 {
		parts = append(parts, count(rest)+" more")
	}
	return strings.Join(parts, ", ")
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", count(n), what)
}

func fromLinted(l *manifest.Linted) lintResult {
	out := lintResult{Rows: l.Rows, Files: l.Files, Compared: l.Compared, Findings: []lintFinding{}}
	for _, f := range l.Findings {
		g := lintFinding{Rank: string(f.Rank), Code: f.Code, Count: f.Count, Message: f.Message}
		for _, p := range f.Places {
			g.Places = append(g.Places, lintPlace{File: p.File, Line: p.Row, Field: p.Field})
		}
		out.Findings = append(out.Findings, g)
	}
	return out
}
