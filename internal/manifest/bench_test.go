package manifest_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
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

// cores gives the benchmark so many of them.
func cores(b *testing.B, n int) {
	had := runtime.GOMAXPROCS(n)
	b.Cleanup(func() { runtime.GOMAXPROCS(had) })
}

func BenchmarkSurvey(b *testing.B) {
	text := benchCSV()
	for name, body := range map[string][]byte{"csv": text, "gzip": gzipped(b, string(text))} {
		b.Run(name, func(b *testing.B) {
			s := newStore()
			m := s.csv(body)
			cores(b, 1)
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

// BenchmarkSurveyFiles reads four gzip files, on one core, and two at a time on two.
func BenchmarkSurveyFiles(b *testing.B) {
	s := newStore()
	body := gzipped(b, string(benchCSV()))
	var stated []string
	for i := range 4 {
		k := fmt.Sprint(i)
		s.files[job.Key(k)] = body
		stated = append(stated, fmt.Sprintf(`{"key":%q,"size":%d,"md5Checksum":%q}`, k, len(body), etagOf(body)))
	}
	m := s.inventory(`{"fileFormat":"CSV","fileSchema":"Bucket,Key,VersionId","files":[` + strings.Join(stated, ",") + `]}`)
	for i, name := range []string{"one", "two"} {
		b.Run(name, func(b *testing.B) {
			cores(b, i+1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Survey(b.Context(), s, m, Options{}); err != nil {
					b.Fatal(err)
				}
			}
			rowsPerSecond(b, 4*benchRows)
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

// allocated tells how many bytes f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestMemoryDoesNotGrowWithLength is not parallel: it counts what the whole process allocates.
func TestMemoryDoesNotGrowWithLength(t *testing.T) {
	const slack = 64 << 10
	for _, form := range []string{"plain", "gzip"} {
		bytes := func(rows int) (survey, cut int64) {
			body := []byte(strings.Repeat("b-1,some%20key/of/a/file.jpeg,\n", rows))
			if form == "gzip" {
				body = gzipped(t, string(body))
			}
			s := newStore()
			m := s.csv(body)
			s.etag(body)
			var p *Plan
			survey = allocated(func() {
				var err error
				if p, err = Survey(t.Context(), s, m, Options{}); err != nil {
					t.Fatal(err)
				}
			})
			cut = allocated(func() {
				for _, err := range p.Cut(t.Context(), s, Cursor{}) {
					if err != nil {
						t.Fatal(err)
					}
				}
			})
			return survey, cut
		}
		survey, cut := bytes(200_000)
		moreSurvey, moreCut := bytes(600_000)
		if moreSurvey > survey+slack {
			t.Errorf("%s: surveying 600,000 rows allocates %d bytes, 200,000 take %d", form, moreSurvey, survey)
		}
		// Packed rows are handed to the caller, and so are no measure.
		if form == "plain" && moreCut > cut+slack {
			t.Errorf("cutting 600,000 rows allocates %d bytes, 200,000 take %d", moreCut, cut)
		}
	}
}
