//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"sync"
	"syscall"
	"time"
)

// store is what all connections share. mu guards all but behaviour.
type store struct {
	behaviour

	mu       sync.Mutex
	calls    map[string]int64 // by kind
	written  keyCounts        // successful copy, put, restore, tagging, acl
	deleted  keyCounts
	first    time.Time // object call
	last     time.Time
	second   int64 // the one that is being counted
	inSecond int64
	best     int64   // most successful object calls in one second of the clock
	tokens   float64 // of the limit
	filled   time.Time
	conns    int64
}

// keyCounts counts successful calls by key: one byte for each of the measured keys, whose last part is their number.
type keyCounts struct {
	byNumber []uint8
	others   map[string]int
	Distinct int64 `json:"distinct"`
	Repeated int64 `json:"repeated"` // calls beyond the first of a key
}

func (k *keyCounts) reset() { *k = keyCounts{others: map[string]int{}} }

func (k *keyCounts) add(path []byte) {
	n, again := 0, false
	name := path[bytes.LastIndexByte(path, '/')+1:]
	for _, c := range name {
		if c < '0' || c > '9' {
			n = -1
			break
		}
		n = n*10 + int(c-'0')
	}
	if n < 0 || len(name) != 9 || n > 100_000_000 {
		k.others[string(path)]++
		again = k.others[string(path)] > 1
	} else {
		for n >= len(k.byNumber) {
			k.byNumber = append(k.byNumber, make([]uint8, 1<<20)...)
		}
		again = k.byNumber[n] > 0
		k.byNumber[n] = 1
	}
	if again {
		k.Repeated++
	} else {
		k.Distinct++
	}
}

// admit takes a token of the limit.
func (s *store) admit(now time.Time) bool {
	s.tokens = min(s.burst, s.tokens+now.Sub(s.filled).Seconds()*s.limit)
	s.filled = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// note counts one call; an object call when it is answered as asked.
func (s *store) note(now time.Time, kind string, counts *keyCounts, path []byte) {
	s.calls[kind]++
	if s.first.IsZero() {
		s.first = now
	}
	s.last = now
	if sec := now.Unix(); sec != s.second {
		s.second, s.inSecond = sec, 0
	}
	s.inSecond++
	s.best = max(s.best, s.inSecond)
	if counts != nil {
		counts.add(path)
	}
}

// stats is what /__stats answers.
type stats struct {
	Calls      map[string]int64 `json:"calls"`
	Written    keyCounts        `json:"written"`
	Deleted    keyCounts        `json:"deleted"`
	SpanMS     int64            `json:"spanMs"` // from the first successful object call to the last
	BestSecond int64            `json:"bestSecond"`
	Conns      int64            `json:"conns"`
	CPUMicros  int64            `json:"cpuMicros"` // of the stub, since it started
}

func (s *store) stats(reset bool) []byte {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru) // cannot fail for the own process
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := json.Marshal(stats{
		Calls: maps.Clone(s.calls), Written: s.written, Deleted: s.deleted, SpanMS: s.last.Sub(s.first).Milliseconds(),
		BestSecond: s.best, Conns: s.conns, CPUMicros: (ru.Utime.Nano() + ru.Stime.Nano()) / 1000,
	})
	if err != nil {
		panic(err) // plain numbers
	}
	if reset {
		s.calls = map[string]int64{}
		s.written.reset()
		s.deleted.reset()
		s.first, s.last, s.second, s.inSecond, s.best = time.Time{}, time.Time{}, 0, 0, 0
		s.tokens, s.filled = s.burst, time.Now()
	}
	return b
}

func (s *store) connected(n int64) {
	s.mu.Lock()
	s.conns += n
	s.mu.Unlock()
}
