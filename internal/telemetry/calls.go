package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/drover-batch/drover/internal/job"
)

// Calls is what bounds this process's object calls.
type Calls struct {
	Stores  []Store
	Regions map[job.Region]job.Bounds // limits in force now: this process's share
	Jobs    map[job.ID]job.Bounds     // of the jobs that it works on
}

// Store is what was found of how many calls a store takes.
type Store struct {
	Region    job.Region
	Bucket    job.Bucket // "" = of all, where the store does not count by bucket
	InFlight  int        // calls
	Waiting   int
	Window    int     // calls that may be in flight
	Rate      float64 // calls a second, learned; 0 = none
	Noise     float64 // share of throttled answers that the load does not cause
	Throttled int64   // answers so far
}

// WatchCalls has f asked at each look at the metrics; it may not block. Call it once.
func (m *Metrics) WatchCalls(f func() Calls) { m.registry.MustRegister(callsCollector{f}) }

type callsCollector struct{ calls func() Calls }

func callsDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	storeCallsDesc  = callsDesc("drover_store_calls", "Object calls of this process that are in flight, or wait for what the store takes.", "region", "bucket", "state")
	storeWindowDesc = callsDesc("drover_store_window_calls", "Object calls that may be in flight, as found from the store's answers.", "region", "bucket")
	storeRateDesc   = callsDesc("drover_store_rate", "Object calls a second that the store was found to take; 0 while it showed no limit.", "region", "bucket")
	storeNoiseDesc  = callsDesc("drover_store_noise_ratio", "Share of throttled answers that this process's load was found not to cause.", "region", "bucket")
	throttledDesc   = callsDesc("drover_store_throttled_total", "Answers that asked for fewer calls.", "region", "bucket")
	regionLimitDesc = callsDesc("drover_region_limit", "Limits on a region's calls that this process keeps to now.", "region", "bound")
	jobLimitDesc    = callsDesc("drover_job_limit", "Limits on the calls of the jobs that this process works on, its share of them.", "job", "bound")
)

// Describe implements prometheus.Collector.
func (callsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		storeCallsDesc, storeWindowDesc, storeRateDesc, storeNoiseDesc, throttledDesc, regionLimitDesc, jobLimitDesc,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c callsCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	limits := func(d *prometheus.Desc, of string, b job.Bounds) {
		for bound, v := range map[string]float64{"rate": b.Rate, "bytes": float64(b.Bytes), "calls": float64(b.Calls)} {
			if v > 0 {
				gauge(d, v, of, bound)
			}
		}
	}
	all := c.calls()
	for _, s := range all.Stores {
		region, bucket := string(s.Region), string(s.Bucket)
		gauge(storeCallsDesc, float64(s.InFlight), region, bucket, "in_flight")
		gauge(storeCallsDesc, float64(s.Waiting), region, bucket, "waiting")
		gauge(storeWindowDesc, float64(s.Window), region, bucket)
		gauge(storeRateDesc, s.Rate, region, bucket)
		gauge(storeNoiseDesc, s.Noise, region, bucket)
		ch <- prometheus.MustNewConstMetric(throttledDesc, prometheus.CounterValue, float64(s.Throttled), region, bucket)
	}
	for name, b := range all.Regions {
		limits(regionLimitDesc, string(name), b)
	}
	for id, b := range all.Jobs {
		limits(jobLimitDesc, string(id), b)
	}
}
