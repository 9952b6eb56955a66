// Command measure runs `drover run` and the peers that are installed against the stub store, in turn, and writes down what
// each needs for an object: CPU of the client process, rate, memory, throttled answers, objects left out and done twice.
//
//	measure -drover ../bin/drover -stub bin/stub -peers bin            # all axes
//	measure -axes copy,cap -rounds 2 -scale 0.1                        # two of them, shorter
//
// The figures of an axis replace its earlier ones in results.json, from which RESULTS.md and chart.svg are drawn.
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
	"strings"
	"syscall"
)

// bench is where things are.
type bench struct {
	drover, stub string
	peers        string // folder of their binaries, and of the client's benchmark
	work         string // lists, states, reports, logs
	rounds       int
	scale        float64 // of the numbers of objects
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var b bench
	flag.StringVar(&b.drover, "drover", "../bin/drover", "the drover to measure")
	flag.StringVar(&b.stub, "stub", "bin/stub", "the stub store")
	flag.StringVar(&b.peers, "peers", "bin", "folder of s5cmd, rclone and mc; what is not there is left out")
	flag.StringVar(&b.work, "work", "out", "folder for lists, states, reports and logs")
	flag.IntVar(&b.rounds, "rounds", 3, "times that each client runs in an axis, in turn")
	flag.Float64Var(&b.scale, "scale", 1, "factor on the numbers of objects where no time is given")
	record := flag.String("record", ".", "folder of results.json, RESULTS.md and chart.svg")
	names := flag.String("axes", "", "axes to measure, with commas between, parts for the benchmarks of the parts; default: all; none: only draw")
	flag.Parse()
	for _, p := range []*string{&b.drover, &b.stub, &b.peers, &b.work} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	chosen, err := choose(*names)
	if err != nil {
		return err
	}
	res, err := load(filepath.Join(*record, "results.json"))
	if err != nil {
		return err
	}
	for _, a := range chosen {
		fmt.Printf("\n## %s\n", a.title)
		got, err := b.axis(ctx, a)
		if err != nil {
			return fmt.Errorf("axis %s: %w", a.name, err)
		}
		res.Axes[a.name] = got
		if err := res.save(*record); err != nil {
			return err
		}
	}
	if wants(*names, partsAxis) {
		fmt.Printf("\n## %s\n", partsTitle)
		if res.Parts, err = b.measureParts(ctx, *record); err != nil {
			return err
		}
	}
	return res.save(*record)
}

// wants reports whether an axis was asked for.
func wants(names, axis string) bool {
	return names == "" || slices.Contains(strings.Split(names, ","), axis)
}

func choose(names string) ([]axis, error) {
	if names == "none" {
		return nil, nil
	}
	var chosen []axis
	for _, a := range axes {
		if wants(names, a.name) {
			chosen = append(chosen, a)
		}
	}
	if len(chosen) == 0 && !wants(names, partsAxis) {
		return nil, errors.New("no such axis: " + names)
	}
	return chosen, nil
}

// axis runs all cases of an axis.
func (b bench) axis(ctx context.Context, a axis) (measured, error) {
	m := measured{Machine: machine(), Versions: map[string]string{}}
	rounds := b.rounds
	if a.most > 0 {
		rounds = min(rounds, a.most)
	}
	for range rounds {
		for _, c := range a.cases {
			if err := b.turn(ctx, a, c, &m); err != nil {
				return m, err
			}
		}
	}
	return m, nil
}

// turn runs all clients of a case once, one after the other, against one stub.
func (b bench) turn(ctx context.Context, a axis, c setting, m *measured) error {
	st, err := b.startStub(ctx, c)
	if err != nil {
		return err
	}
	defer st.stop()
	for _, t := range c.clients {
		cl := clients[t.client]
		binary := b.binary(t.client)
		if _, err := os.Stat(binary); err != nil {
			fmt.Printf("%s is not installed: left out\n", t.client)
			continue
		}
		if m.Versions[cl.binary], err = version(ctx, binary); err != nil {
			return err
		}
		n := t.objects
		if !t.exact {
			n = max(1, int(float64(n)*b.scale))
		}
		r, err := b.measure(ctx, st, c, t, n)
		if err != nil {
			return err
		}
		r.Case, r.Client = c.name, t.label()
		m.Runs = append(m.Runs, r)
		fmt.Printf("%-22s %-24s %s\n", c.name, r.Client, r.line())
	}
	return nil
}

func (b bench) binary(name string) string {
	cl := clients[name]
	if cl.binary == "drover" {
		return b.drover
	}
	return filepath.Join(b.peers, cl.binary)
}
