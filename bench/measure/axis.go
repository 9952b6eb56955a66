package main

import (
	"fmt"
	"time"
)

// axis is one question; its cases are measured in turn, so that all see the same minutes of the machine.
type axis struct {
	name, title, note string
	cases             []setting
	share             *shareOf // a further column; nil: none
	ratio             bool     // a column of CPU by that of the case's first client
	most              int      // rounds, however many are asked for; 0: as many as that
}

// setting is one way for the store to be.
type setting struct {
	name    string
	latency time.Duration
	err     float64 // share of random 503
	limit   float64 // object calls a second
	tls     bool
	listed  int // objects in a listing; 0: as many as the clients copy
	clients []turn
}

// turn is one client's run in a case.
type turn struct {
	client      string
	operation   string // of drover run; "" is copy
	objects     int
	exact       bool // objects is not scaled
	connections int
	within      time.Duration // after that it is interrupted; 0: ten minutes
}

func (t turn) label() string {
	s := t.client
	if t.operation != "" {
		s += " " + t.operation
	}
	return s
}

const (
	few      = 10_000    // objects for clients that take a second for some thousands
	several  = 50_000    // for rclone where CPU is compared: of 10,000 its start would be a twentieth
	million  = 1_000_000 // objects for drover at saturation
	ordinary = 64        // connections
)

var axes = []axis{
	{
		name: "copy", title: "Copy over a list, store at 0 ms, 64 connections", ratio: true,
		note: "drover reads a CSV.gz manifest, writes a report and keeps checkpoints. s5cmd run reads a file of commands; rclone a file of names, " +
			"and makes a HEAD and a COPY for each; the last two have no list but go through a listing. The bare loop is no tool but a yardstick of " +
			"the machine: the calls alone, written beforehand and unsigned, on one thread.",
		cases: []setting{{name: "0 ms", listed: 20_000, clients: []turn{
			{client: "drover", objects: million, connections: ordinary},
			{client: "s5cmd run", objects: few, connections: ordinary},
			{client: "drover", objects: million, connections: ordinary},
			{client: "rclone copy", objects: several, connections: ordinary},
			{client: "bare loop", objects: 500_000, connections: ordinary},
			{client: "s5cmd cp wildcard", objects: 20_000, exact: true, connections: ordinary},
			{client: "mc cp --recursive", objects: 20_000, exact: true, connections: ordinary},
		}}},
	},
	{
		name: "client", title: "The client alone: CopyObject, store at 0 ms, 64 connections", most: 5,
		note: "Signing, sending and reading answers, by the benchmark CopyStore of internal/object/httpwire; no list, no engine, no report.",
		cases: []setting{{name: "0 ms", clients: []turn{
			{client: "drover's client", objects: 500_000, connections: ordinary},
			{client: "drover's client", objects: 500_000, connections: ordinary},
		}}},
	},
	{
		name: "operations", title: "Other operations, store at 0 ms, 64 connections", ratio: true,
		note: "drover only: no peer has a mode for these that goes through a list.",
		cases: []setting{{name: "0 ms", clients: []turn{
			{client: "drover", objects: 300_000, connections: ordinary},
			{client: "drover", operation: "restore", objects: 300_000, connections: ordinary},
			{client: "drover", operation: "tag", objects: 300_000, connections: ordinary},
			{client: "drover", operation: "delete", objects: 300_000, connections: ordinary},
		}}},
	},
	{
		name: "memory", title: "Peak memory against the length of the list, store at 0 ms, 64 connections", most: 1,
		note: "One row shows the idle engine. A run that was cut shows the peak until then.",
		cases: []setting{
			{name: "1 row", clients: []turn{{client: "drover", objects: 1, exact: true, connections: ordinary}}},
			{name: "10,000 rows", clients: []turn{{client: "drover", objects: 10_000, exact: true, connections: ordinary}}},
			{name: "100,000 rows", clients: []turn{{client: "drover", objects: 100_000, exact: true, connections: ordinary}}},
			{name: "1,000,000 rows", clients: []turn{
				{client: "drover", objects: million, exact: true, connections: ordinary},
				{client: "s5cmd run", objects: million, exact: true, connections: ordinary, within: 15 * time.Second},
				{client: "rclone copy", objects: million, exact: true, connections: ordinary, within: 25 * time.Second},
			}},
		},
	},
	{
		name: "long", title: "Ten million rows, store at 0 ms, 64 connections", most: 1,
		note: "1,000,000 rows before and after, so that the growth is of the same minutes.",
		cases: []setting{
			rowsOf("1,000,000 rows", million), rowsOf("10,000,000 rows", 10*million), rowsOf("1,000,000 rows", million),
		},
	},
	{
		name: "latency", title: "Copy, store at 30 ms", most: 2,
		note:  "The share is of connections / 30 ms, between the first answer and the last.",
		share: &shareOf{"of c/RTT", func(c setting, r result) float64 { return r.rate() * c.latency.Seconds() / float64(r.Connections) }},
		cases: latencies(64, 256, 1024),
	},
	{
		name: "errors", title: "Copy, store at 30 ms that throttles at random, 256 connections", most: 2,
		cases: []setting{
			throttling("no 503", 0), throttling("1 % of 503", 0.01), throttling("5 % of 503", 0.05),
		},
	},
	{
		name: "cap", title: "Copy, store at 30 ms with a hard limit", most: 1,
		note:  "The share is of what the limit allows, between the first answer and the last. drover at its default of 64 connections, the peers at 256.",
		share: &shareOf{"of the limit", func(c setting, r result) float64 { return r.rate() / c.limit }},
		cases: []setting{
			{name: "100 a second", latency: 30 * time.Millisecond, limit: 100, clients: capped(1_500)},
			{name: "400 a second", latency: 30 * time.Millisecond, limit: 400, clients: capped(6_000)},
		},
	},
	{
		name: "tls", title: "Copy over TLS, store at 0 ms, 64 connections", ratio: true,
		note: "The stub serves TLS with a goroutine a connection, which takes more of the machine than its epoll loop: rates compare with nothing, and so less well does CPU.",
		cases: []setting{{name: "TLS", tls: true, clients: []turn{
			{client: "drover", objects: 300_000, connections: ordinary},
			{client: "s5cmd run", objects: few, connections: ordinary, within: 20 * time.Second},
		}}},
	},
}

func rowsOf(name string, n int) setting {
	return setting{name: name, clients: []turn{{client: "drover", objects: n, exact: true, connections: ordinary}}}
}

func latencies(connections ...int) []setting {
	var cs []setting
	for _, c := range connections {
		n := c * 600 // eighteen seconds, were all of them busy all the time: finding the window out takes a quarter of one
		cs = append(cs, setting{name: fmt.Sprintf("%d connections", c), latency: 30 * time.Millisecond, clients: []turn{
			{client: "drover", objects: n, connections: c},
			{client: "s5cmd run", objects: min(n, few), connections: c},
		}})
	}
	return cs
}

func throttling(name string, share float64) setting {
	return setting{name: name, latency: 30 * time.Millisecond, err: share, clients: []turn{
		{client: "drover", objects: few, connections: 256},
		{client: "s5cmd run", objects: few, connections: 256, within: time.Minute},
		{client: "rclone copy", objects: few, connections: 256, within: time.Minute},
	}}
}

func capped(n int) []turn {
	return []turn{
		{client: "drover", objects: n, exact: true, connections: ordinary, within: 75 * time.Second},
		{client: "s5cmd run", objects: n, exact: true, connections: 256, within: 75 * time.Second},
		{client: "rclone copy", objects: n, exact: true, connections: 256, within: 75 * time.Second},
	}
}
