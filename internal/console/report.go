package console

import (
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// reportView is what a job's page tells of its report.
type reportView struct {
	Wanted   bool
	Where    string
	Files    []reportFile
	Problem  string // why the report cannot be shown though it is there
	Manifest string // URL
	Again    string // URL of the page that makes a job of the failed objects; "" = none failed
}

type reportFile struct {
	Name, Status, MD5, URL string
	Failed                 bool
	name                   string
}

// manifestFile names the report's manifest.json in URLs; no result file is called so.
const manifestFile = "manifest.json"

func (s *server) reportOf(c *call, j job.Job) reportView {
	r := j.Spec.Report
	v := reportView{Wanted: r.Enabled, Where: visible(string(r.Bucket) + "/" + r.Prefix)}
	if !r.Enabled || j.ReportManifest == "" {
		return v
	}
	files, err := s.o.Jobs.ReportFiles(c.Context(), c.caller, j.ID)
	if err != nil {
		v.Problem = job.MessageOf(err)
		if v.Problem == "" {
			v.Problem = c.lang.t("The report cannot be read now.")
		}
		return v
	}
	v.Manifest = jobURL(j.ID) + "/report/" + manifestFile
	for _, f := range files {
		failed := f.Status == job.TaskFailed
		status := c.lang.t("succeeded")
		if failed {
			status, v.Again = c.lang.t("failed"), jobURL(j.ID)+"/retry"
		}
		v.Files = append(v.Files, reportFile{
			Name: visible(f.Name), Status: status, MD5: visible(f.MD5), Failed: failed, URL: jobURL(j.ID) + "/report/" + url.PathEscape(f.Name), name: f.Name,
		})
	}
	return v
}

// reportFile sends one file of a job's report, which the service reads as the job's role.
func (s *server) reportFile(c *call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	name := c.PathValue("file")
	if name == manifestFile {
		b, err := s.o.Jobs.ReportManifest(c.Context(), c.caller, id)
		if err != nil {
			return err
		}
		download(c, "job-"+string(id)+"-manifest.json", "application/json")
		_, _ = c.w.Write(b)
		return nil
	}
	body, _, err := s.o.Jobs.ReportFile(c.Context(), c.caller, id, name)
	if err != nil {
		return err
	}
	defer body.Close()
	download(c, "job-"+string(id)+"-"+name, "text/csv; charset=utf-8")
	_, _ = io.Copy(c.w, body) // too late for an error page: what is short does not have its checksum
	return nil
}

func download(c *call, name, contentType string) {
	c.w.Header().Set("Content-Type", contentType)
	c.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	c.w.WriteHeader(http.StatusOK)
}
