package console

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// reportView is what a job's page tells of its report.
type reportView struct {
	Wanted   bool
	Where    string
	Files    []reportFile
	Problem  string // why the report cannot be shown though it is there
	Manifest string // URL
	Again    string // URL of the wizard, filled in for the failed objects; "" = none
}

type reportFile struct {
	Name, Status, MD5, URL string
	Failed                 bool
}

// reportManifest is a report's manifest.json (docs/report.md).
type reportManifest struct {
	Results []struct {
		Status string     `json:"TaskExecutionStatus"`
		Bucket job.Bucket `json:"Bucket"`
		MD5    string     `json:"MD5Checksum"`
		Key    string     `json:"Key"`
	} `json:"Results"`
}

// manifestFile names the report's manifest.json in URLs; the other files go by their number.
const manifestFile = "manifest.json"

func (s *server) reportOf(c *call, j job.Job) reportView {
	r := j.Spec.Report
	v := reportView{Wanted: r.Enabled, Where: visible(string(r.Bucket) + "/" + r.Prefix)}
	if !r.Enabled || j.ReportManifest == "" {
		return v
	}
	m, err := s.reportManifest(c, j.ID)
	if err != nil {
		v.Problem = job.MessageOf(err)
		if v.Problem == "" {
			v.Problem = c.lang.t("The report cannot be read now.")
		}
		return v
	}
	v.Manifest = jobURL(j.ID) + "/report/" + manifestFile
	for i, f := range m.Results {
		failed := f.Status == string(job.TaskFailed)
		status := c.lang.t("succeeded")
		if failed {
			status = c.lang.t("failed")
		}
		v.Files = append(v.Files, reportFile{
			Name: visible(path.Base(f.Key)), Status: status, MD5: visible(f.MD5), Failed: failed,
			URL: jobURL(j.ID) + "/report/" + strconv.Itoa(i),
		})
		if failed && v.Again == "" {
			v.Again = base + "/jobs/new?failed=" + url.QueryEscape(string(j.ID))
		}
	}
	return v
}

func (s *server) reportManifest(c *call, id job.ID) (reportManifest, error) {
	var m reportManifest
	b, err := s.o.Jobs.ReportManifest(c.Context(), c.caller, id)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, &job.Error{Code: job.InvalidRequest, Message: "The report's manifest.json is damaged.", Err: err}
	}
	return m, nil
}

// reportFile sends one file of a job's report, read as the job's role.
func (s *server) reportFile(c *call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	if c.PathValue("file") == manifestFile {
		b, err := s.o.Jobs.ReportManifest(c.Context(), c.caller, id)
		if err != nil {
			return err
		}
		download(c, "job-"+string(id)+"-manifest.json", "application/json")
		_, _ = c.w.Write(b)
		return nil
	}
	m, err := s.reportManifest(c, id)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(c.PathValue("file"))
	if err != nil || n < 0 || n >= len(m.Results) {
		return errNoSuchPage
	}
	j, err := s.o.Jobs.Job(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	region := j.Spec.Report.Region
	if region == "" {
		region = j.Spec.Region
	}
	store, err := s.o.Stores.Store(c.Context(), j.Spec.Account, j.Spec.Role, region)
	if err != nil {
		return err
	}
	body, _, err := store.Get(c.Context(), object.Ref{Bucket: j.Spec.Report.Bucket, Key: job.Key(m.Results[n].Key)}, 0, -1)
	if err != nil {
		return storeProblem(err, "The report's file")
	}
	defer body.Close()
	download(c, "job-"+string(id)+"-"+path.Base(m.Results[n].Key), "text/csv; charset=utf-8")
	_, _ = io.Copy(c.w, body) // too late for an error page: what is short does not have its checksum
	return nil
}

func download(c *call, name, contentType string) {
	c.w.Header().Set("Content-Type", contentType)
	c.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	c.w.WriteHeader(http.StatusOK)
}

// storeProblem makes a sentence of a store's answer about something.
func storeProblem(err error, what string) error {
	switch code := object.CodeOf(err); {
	case object.StatusOf(err) >= 400 && object.StatusOf(err) < 500 && code != "":
		return &job.Error{Code: job.InvalidRequest, Message: what + " cannot be read: the store says " + visible(code) + ".", Err: err}
	case code != "":
		return &job.Error{Code: job.Unavailable, Message: "The store does not answer. Try again in a few seconds.", Err: err}
	}
	return err
}
