package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
)

func TestPlansOfManyFilesAreNotWrittenAfterEach(t *testing.T) {
	const files = 20_000
	kept, last := 0, 0
	for n := 1; n <= files; n++ {
		if !keptAt(n) {
			continue
		}
		kept++
		if n-last > max(1, n/64) {
			t.Fatalf("nothing was written between %d and %d files", last, n)
		}
		last = n
	}
	if kept > 1000 {
		t.Errorf("the plan of %d files is written %d times", files, kept)
	}
}

// Twenty billion rows are 20,000 data files of an inventory. As JSON their plan was more than the carrier takes.
func TestPlanOfTwentyBillionRowsIsARecord(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	sum := func() string { return fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()) }
	p := manifest.Plan{Format: job.FormatInventory, ChunkRows: 1000}
	for range 20_000 {
		p.Files = append(p.Files, manifest.File{
			Name: manifest.Name{Bucket: "inventories-1250000000", Key: job.Key(fmt.Sprintf("cos_bucket_inventory/1250000000/photos-1250000000/weekly/data/%s.csv.gz", sum()))},
			ETag: sum(), MD5: sum(), Size: 40_000_000 + random.Int64N(9_999_999), Rows: 1_000_000, FirstRow: p.Rows, FirstChunk: p.Chunks, Compression: "gzip",
			Sizes: &job.Sizes{Bytes: random.Int64N(1 << 50), Largest: random.Int64N(1 << 40)},
		})
		p.Rows += 1_000_000
		p.Chunks += 1000
	}
	b := encodePacked(p)
	t.Logf("%d bytes, %d as they are", len(b), len(encode(p)))
	if len(b) > maxPlan/2 {
		t.Errorf("the plan takes %d bytes", len(b))
	}
	got, err := decode[manifest.Plan](Record{Key: "plan.x", Value: b})
	if err != nil || len(got.Files) != len(p.Files) || !reflect.DeepEqual(got.Files[19_999], p.Files[19_999]) || got.Rows != p.Rows {
		t.Errorf("read back: %v, %d files", err, len(got.Files))
	}
	if _, err := decode[manifest.Plan](Record{Key: "plan.x", Value: b[:len(b)/2]}); err == nil {
		t.Error("half a record was read")
	}
}

func TestCheckpointOfManyCodesWithLongKeysIsSmall(t *testing.T) {
	tl := newTally(checkpoint{})
	for code := range 2 * maxCodes {
		for i := range 2 * maxSamples {
			key := strings.Repeat("\x01", 1000) + fmt.Sprint(i)
			tl.add(handinRow{Failed: true, Code: fmt.Sprintf("Code%d", code), Key: []byte(key)})
			if i == maxSamples {
				tl = newTally(checkpoint{Failed: tl.failed, Codes: tl.counts()}) // as after a restart
			}
		}
	}
	size := len(encode(checkpoint{Codes: tl.counts()}))
	if size > 1<<20 {
		t.Errorf("the checkpoint takes %d bytes", size)
	}
	var sum int64
	for _, c := range tl.counts() {
		sum += c.Count
	}
	if want := int64(2 * maxCodes * 2 * maxSamples); sum != want || tl.failed != want {
		t.Errorf("%d counted by code, %d in all, want %d", sum, tl.failed, want)
	}
}
