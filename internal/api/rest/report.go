package rest

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/api"
)

func (s *server) report(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	manifest, err := s.jobs.ReportManifest(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(manifest)
	return nil
}

func (s *server) reportFiles(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	files, err := s.jobs.ReportFiles(c.Context(), c.caller, id)
	if err != nil {
		return err
	}
	answer := client.ReportFiles{Files: []client.ReportFile{}}
	for _, f := range files {
		answer.Files = append(answer.Files, client.ReportFile{
			Name: f.Name, Status: string(f.Status), Bucket: string(f.Bucket), Key: string(f.Key), MD5: f.MD5,
			Link: "/api/v1/jobs/" + string(id) + "/report/files/" + url.PathEscape(f.Name),
		})
	}
	return writeJSON(w, http.StatusOK, answer)
}

// reportFile sends a result file on as it comes from its store.
func (s *server) reportFile(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	name := c.PathValue("name")
	body, size, err := s.jobs.ReportFile(c.Context(), c.caller, id, name)
	if err != nil {
		return err
	}
	defer body.Close()
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("X-Content-Type-Options", "nosniff")
	if size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(size, 10))
	}
	if c.Method == http.MethodHead {
		return nil
	}
	if n, err := io.Copy(w, body); err != nil || size >= 0 && n < size {
		panic(http.ErrAbortHandler) // the head has gone out: only a cut connection still says that the file is not whole
	}
	return nil
}
