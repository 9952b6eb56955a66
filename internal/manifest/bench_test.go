package manifest_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/drover-batch/drover/internal/job"
	. "github.com/drover-batch/drover/internal/manifest"
)

const benchRows = 200_000

// benchCSV is rows of some 126 bytes like those of an inventory, with an escape in each key.
func benchCSV() []byte {
	var b bytes.Buffer
	for i := range benchRows {
		fmt.Fprintf(&b, "\"photos-1250000000\",\"archive/2024/%02d/%02d/camera%%20%02d/IMG_%08d%%2Bedit.jpeg\",\"MTg0NDUxNTc1NjIzMTQ1MDg4%08d\"\n",
			i/5000%12+1, i/1000%28+1, i%37, i, i*7919%100_000_000)
	}
	return b.Bytes()
}

func rowsPerSecond(b *testing.B, rows int) {
	b.ReportMetric(float64(b.N)*float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}

func BenchmarkSurvey(b *testing.B) {
	text := benchCSV()
	for name, body := range map[string][]byte{"csv": text, "gzip": gzipped(b, string(text))} {
		b.Run(name, func(b *testing.B) {
			s := newStore()
			m := s.csv(body)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Survey(b.Context(), s, m, Options{}); err != nil {
					b.Fatal(err)
				}
			}
			rowsPerSecond(b, benchRows)
		})
	}
}

func BenchmarkCut(b *testing.B) {
	text := benchCSV()
	for name, body := range map[string][]byte{"csv": text, "gzip": gzipped(b, string(text))} {
		b.Run(name, func(b *testing.B) {
			s := newStore()
			p, err := Survey(b.Context(), s, s.csv(body), Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				size = 0
				for c, err := range p.Cut(b.Context(), s, Cursor{}) {
					if err != nil {
						b.Fatal(err)
					}
					size += len(c.Chunk.Encode())
				}
			}
			rowsPerSecond(b, benchRows)
			b.ReportMetric(float64(size)/float64(p.Chunks), "B/chunk")
		})
	}
}

func BenchmarkEntries(b *testing.B) {
	text := benchCSV()
	for name, body := range map[string][]byte{"reference": text, "packed": gzipped(b, string(text))} {
		b.Run(name, func(b *testing.B) {
			s := newStore()
			p, err := Survey(b.Context(), s, s.csv(body), Options{})
			if err != nil {
				b.Fatal(err)
			}
			var c Chunk
			for cut, err := range p.Cut(b.Context(), s, Cursor{}) {
				if err != nil {
					b.Fatal(err)
				}
				c = cut.Chunk
				break
			}
			b.ReportAllocs()
			var entries []job.Entry
			for b.Loop() {
				if entries, err = p.Entries(b.Context(), s, c); err != nil {
					b.Fatal(err)
				}
			}
			rowsPerSecond(b, len(entries))
		})
	}
}
