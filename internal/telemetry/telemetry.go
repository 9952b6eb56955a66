// Package telemetry holds the metrics of a process, in a registry of their own. docs/operations.md lists them.
package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/drover-batch/drover/internal/job"
)

// Metrics counts what a process does. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	limited  prometheus.Counter
	tasks    *prometheus.CounterVec
	calls    *prometheus.HistogramVec
	failed   *prometheus.CounterVec
}

// New makes the metrics of a process of the given version.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "drover_http_request_duration_seconds", Help: "Requests by API, method and status, and how long they took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"api", "method", "status"}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "drover_http_requests_limited_total", Help: "Requests refused because their principal had made too many.",
		}),
		tasks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "drover_tasks_total", Help: "Tasks that ended in this process, by operation and outcome; those done twice count twice.",
		}, []string{"operation", "outcome"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "drover_object_call_duration_seconds", Help: "Object calls by region and operation, and how long they took with their retries.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60, 300},
		}, []string{"region", "operation"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "drover_object_call_errors_total", Help: "Object calls that failed, by region, operation and error code.",
		}, []string{"region", "operation", "code"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "drover_build_info", Help: "1, with the version as label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.limited, m.tasks, m.calls, m.failed, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics in Prometheus's text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// methods bound the label: a client may send any word.
var methods = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true}

// Request notes one request of an API.
func (m *Metrics) Request(api, method string, status int, took time.Duration) {
	if !methods[method] {
		method = "other"
	}
	m.requests.WithLabelValues(api, method, strconv.Itoa(status)).Observe(took.Seconds())
}

// Limited notes a request that was one too many.
func (m *Metrics) Limited() { m.limited.Inc() }

// Task notes a task's end.
func (m *Metrics) Task(operation string, s job.TaskStatus) {
	m.tasks.WithLabelValues(operation, string(s)).Inc()
}

// maxCode bounds the label: a store may answer any word.
const maxCode = 64

// Call notes an object call; code is "" for one that went well.
func (m *Metrics) Call(region job.Region, op, code string, took time.Duration) {
	m.calls.WithLabelValues(string(region), op).Observe(took.Seconds())
	if code == "" {
		return
	}
	if len(code) > maxCode || !plain(code) {
		code = "other"
	}
	m.failed.WithLabelValues(string(region), op, code).Inc()
}

func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || 'z' < c) && (c < 'A' || 'Z' < c) && (c < '0' || '9' < c) {
			return false
		}
	}
	return true
}

// Load is how much there is to do.
type Load struct {
	Jobs    map[job.Status]int // open ones
	Waiting int                // chunks
	Running int

	DiskFree, DiskSize int64 // bytes, of the process's folder; 0 = it has none
}

// Watch has load asked at each look at the metrics, with a few seconds to answer in. Call it once.
func (m *Metrics) Watch(load func(context.Context) Load) {
	m.registry.MustRegister(loadCollector{load})
}

type loadCollector struct{ load func(context.Context) Load }

var (
	jobsDesc  = prometheus.NewDesc("drover_jobs", "Jobs that have not ended, by status.", []string{"status"}, nil)
	queueDesc = prometheus.NewDesc("drover_queue_chunks", "Chunks of Active jobs that wait, and that workers hold.", []string{"state"}, nil)
	freeDesc  = prometheus.NewDesc("drover_disk_free_bytes", "Room left on the disk of the engine's folder.", nil, nil)
	sizeDesc  = prometheus.NewDesc("drover_disk_size_bytes", "Size of the disk of the engine's folder.", nil, nil)
)

// Describe implements prometheus.Collector.
func (loadCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsDesc, queueDesc, freeDesc, sizeDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c loadCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	l := c.load(ctx)
	for _, s := range job.Statuses() {
		if !s.Final() {
			ch <- prometheus.MustNewConstMetric(jobsDesc, prometheus.GaugeValue, float64(l.Jobs[s]), string(s))
		}
	}
	ch <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, float64(l.Waiting), "waiting")
	ch <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, float64(l.Running), "running")
	if l.DiskSize > 0 {
		ch <- prometheus.MustNewConstMetric(freeDesc, prometheus.GaugeValue, float64(l.DiskFree))
		ch <- prometheus.MustNewConstMetric(sizeDesc, prometheus.GaugeValue, float64(l.DiskSize))
	}
}
