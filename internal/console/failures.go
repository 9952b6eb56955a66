package console

import (
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// Bounds of what is read of a report for one page.
const (
	shownFailures = 200
	readFailures  = 200_000 // rows
)

// failuresPage is the table of a job's failed tasks, out of its report.
type failuresPage struct {
	frame
	Job     jobRow
	Codes   []link
	Rows    []failureRow
	More    bool // there are more of these
	Cut     bool // the report was not read to its end
	Means   string
	Problem string
	Files   []reportFile
}

type failureRow struct {
	Bucket, Key, Version, Code, Status, Message string
}

func (s *server) failures(c *call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	j, err := s.o.Jobs.Job(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	l, code := c.lang, c.URL.Query().Get("code")
	p := failuresPage{frame: s.frame(c, l.t("Failed tasks"), menuJobs), Job: s.row(c, j)}
	p.Crumbs = s.jobCrumbs(c, id)
	p.CLI = "drover job report " + string(id)
	self := jobURL(id) + "/failures"
	p.Codes = append(p.Codes, link{Text: l.t("All"), URL: self, Current: code == ""})
	for _, one := range j.Progress.ByCode {
		p.Codes = append(p.Codes, link{Text: visible(one.Code) + " " + number(one.Count), URL: self + "?code=" + url.QueryEscape(one.Code), Current: code == one.Code})
		if one.Code == code {
			p.Means = l.codeMeans(code)
		}
	}
	report := s.reportOf(c, j)
	p.Problem = report.Problem
	switch {
	case !report.Wanted:
		p.Problem = l.t("The job was made without a report, so there is no list of its failed tasks; the job's page has samples.")
	case report.Manifest == "" && p.Problem == "":
		p.Problem = l.t("The list is there when the job has ended; the job's page has samples.")
	}
	read := 0
	for _, f := range report.Files {
		if !f.Failed {
			continue
		}
		p.Files = append(p.Files, f)
		if p.More || p.Cut {
			continue
		}
		if err := s.readFailures(c, id, f.name, code, &p, &read); err != nil {
			if p.Problem = job.MessageOf(err); p.Problem == "" {
				return err
			}
		}
	}
	s.render(c, http.StatusOK, "failures", p)
	return nil
}

// readFailures adds the rows of one result file.
func (s *server) readFailures(c *call, id job.ID, name, code string, p *failuresPage, read *int) error {
	body, _, err := s.o.Jobs.ReportFile(c.Context(), c.caller, id, name)
	if err != nil {
		return err
	}
	defer body.Close()
	rows := csv.NewReader(body)
	rows.FieldsPerRecord, rows.ReuseRecord = 7, true
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &job.Error{Code: job.InvalidRequest, Message: c.lang.t("The report's file %s is damaged.", visible(name)), Err: err}
		}
		if *read++; *read > readFailures {
			p.Cut = true
			return nil
		}
		if code != "" && row[4] != code {
			continue
		}
		if len(p.Rows) == shownFailures {
			p.More = true
			return nil
		}
		key, err := url.PathUnescape(row[1])
		if err != nil {
			key = row[1]
		}
		p.Rows = append(p.Rows, failureRow{
			Bucket: visible(row[0]), Key: shortened(key, 200), Version: shortened(row[2], 40), Code: visible(row[4]), Status: row[5],
			Message: shortened(strings.Clone(row[6]), 300),
		})
	}
}
