//go:build linux

// Command scale measures how the rate of a job grows with the number of drover worker processes, over a store that
// answers after 30 ms, so that it is the store that is waited for and not the CPU. Three nodes of drover serve lead and
// hold the state; they do not work. It prints a table, and ends with 1 when a doubling of the workers gave less than 0.9
// of the double rate.
//
//	scale -drover bin/drover -stub bench/bin/stub -workers 1,2,4,8 -concurrency 16 -rounds 3
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

type options struct {
	drover, stub  string
	latency       time.Duration
	concurrency   int
	chunkRows     int
	rowsPerWorker int
	rounds        int
	workers       []int
}

// measured is what one run gave.
type measured struct {
	rate float64       // objects a second, from the first call to the last
	cpu  time.Duration // of all workers
	rows int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var o options
	var workers string
	flag.StringVar(&o.drover, "drover", "bin/drover", "the binary to measure")
	flag.StringVar(&o.stub, "stub", "bench/bin/stub", "the stub store")
	flag.DurationVar(&o.latency, "latency", 30*time.Millisecond, "of the store's answers")
	flag.IntVar(&o.concurrency, "concurrency", 16, "object calls in flight of each worker")
	flag.IntVar(&o.chunkRows, "chunk", 100, "rows of a chunk")
	flag.IntVar(&o.rowsPerWorker, "rows", 10_000, "objects for each worker")
	flag.IntVar(&o.rounds, "rounds", 3, "how often all numbers of workers are measured, in turn")
	flag.StringVar(&workers, "workers", "1,2,4,8", "numbers of workers")
	flag.Parse()
	for _, s := range strings.Split(workers, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "scale: -workers: %q is no number of workers\n", s)
			os.Exit(2)
		}
		o.workers = append(o.workers, n)
	}
	short, err := measure(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
	if short {
		os.Exit(1)
	}
}

// measure runs all rounds and prints the table; short says that a doubling fell short.
func measure(ctx context.Context, o options) (short bool, err error) {
	dir, err := os.MkdirTemp("", "drover-scale-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	c, err := startCluster(ctx, dir, o)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	runs := map[int][]measured{}
	for round := range o.rounds {
		for _, n := range o.workers {
			m, err := c.run(ctx, n)
			if err != nil {
				return false, fmt.Errorf("%d workers: %w", n, err)
			}
			fmt.Fprintf(os.Stderr, "round %d: %d workers, %.0f objects/s\n", round+1, n, m.rate)
			runs[n] = append(runs[n], m)
		}
	}
	return table(o, runs), nil
}

// table prints the medians.
func table(o options, runs map[int][]measured) (short bool) {
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("Store at %v, %d calls in flight a worker, %d rows a worker, chunks of %d rows, %d rounds; load at the end %s\n\n",
		o.latency, o.concurrency, o.rowsPerWorker, o.chunkRows, o.rounds, strings.Join(strings.Fields(string(load))[:1], ""))
	fmt.Println("| workers | objects/s (median, range) | of what the latency allows | of double the half | CPU of the workers, µs an object |")
	fmt.Println("|---|---|---|---|---|")
	medians := map[int]float64{}
	for _, n := range o.workers {
		rates := make([]float64, 0, len(runs[n]))
		cpu := make([]float64, 0, len(runs[n]))
		for _, m := range runs[n] {
			rates = append(rates, m.rate)
			cpu = append(cpu, float64(m.cpu.Microseconds())/float64(m.rows))
		}
		slices.Sort(rates)
		slices.Sort(cpu)
		median := rates[len(rates)/2]
		medians[n] = median
		ideal := float64(n*o.concurrency) / o.latency.Seconds()
		doubling := ""
		if half, ok := medians[n/2]; ok && n%2 == 0 {
			doubling = fmt.Sprintf("%.2f", median/half/2)
			short = short || median/half/2 < 0.9
		}
		fmt.Printf("| %d | %.0f (%.0f–%.0f) | %.2f | %s | %.0f |\n", n, median, rates[0], rates[len(rates)-1], median/ideal, doubling, cpu[len(cpu)/2])
	}
	if short {
		fmt.Println("\nA doubling gave less than 0.9 of the double rate.")
	}
	return short
}

func write(dir, name, text string) (string, error) {
	file := filepath.Join(dir, name)
	return file, os.WriteFile(file, []byte(text), 0o600)
}
