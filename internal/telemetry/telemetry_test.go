package telemetry

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

func TestTheMetricsSayWhatWasNoted(t *testing.T) {
	t.Parallel()
	m := New("v1.2.3")
	m.Watch(func(context.Context) Load {
		return Load{Jobs: map[job.Status]int{job.Active: 2}, Waiting: 3, Running: 4, DiskFree: 5, DiskSize: 60}
	})
	m.WatchCalls(func() Calls {
		return Calls{
			Stores:  []Store{{Region: "far", Bucket: "b", InFlight: 7, Waiting: 2, Window: 64, Rate: 99.5, Noise: 0.01, Throttled: 12}, {Region: "near", Window: 16}},
			Regions: map[job.Region]job.Bounds{"far": {Rate: 50, Calls: 8}, "near": {}}, Jobs: map[job.ID]job.Bounds{"job-1": {Bytes: 1000}},
		}
	})
	m.Request("cos", "POST", 200, 3*time.Millisecond)
	m.Request("cos", "BREW", 405, time.Millisecond)
	m.Limited()
	m.Task("copy", job.TaskSucceeded)
	m.Call("local", "Copy", "", time.Millisecond)
	m.Call("local", "Copy", "NoSuchKey", time.Millisecond)
	m.Call("local", "Copy", "no code\nat all", time.Millisecond)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	text := w.Body.String()
	for _, want := range []string{
		`drover_http_request_duration_seconds_count{api="cos",method="POST",status="200"} 1`,
		`drover_http_request_duration_seconds_count{api="cos",method="other",status="405"} 1`,
		`drover_http_requests_limited_total 1`,
		`drover_tasks_total{operation="copy",outcome="succeeded"} 1`,
		`drover_object_call_duration_seconds_count{operation="Copy",region="local"} 3`,
		`drover_object_call_errors_total{code="NoSuchKey",operation="Copy",region="local"} 1`,
		`drover_object_call_errors_total{code="other",operation="Copy",region="local"} 1`,
		`drover_jobs{status="Active"} 2`,
		`drover_jobs{status="New"} 0`,
		`drover_queue_chunks{state="waiting"} 3`,
		`drover_queue_chunks{state="running"} 4`,
		`drover_disk_free_bytes 5`,
		`drover_disk_size_bytes 60`,
		`drover_store_calls{bucket="b",region="far",state="in_flight"} 7`,
		`drover_store_calls{bucket="b",region="far",state="waiting"} 2`,
		`drover_store_window_calls{bucket="b",region="far"} 64`,
		`drover_store_window_calls{bucket="",region="near"} 16`,
		`drover_store_rate{bucket="b",region="far"} 99.5`,
		`drover_store_noise_ratio{bucket="b",region="far"} 0.01`,
		`drover_store_throttled_total{bucket="b",region="far"} 12`,
		`drover_region_limit{bound="calls",region="far"} 8`,
		`drover_region_limit{bound="rate",region="far"} 50`,
		`drover_job_limit{bound="bytes",job="job-1"} 1000`,
		`drover_build_info{version="v1.2.3"} 1`,
		`process_open_fds`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, `drover_region_limit{bound="bytes"`) || strings.Contains(text, `drover_region_limit{bound="rate",region="near"`) {
		t.Error("limits that are not set are told of")
	}
	if t.Failed() {
		t.Log(text)
	}
}
