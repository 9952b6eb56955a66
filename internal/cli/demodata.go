package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// How many objects the demo has. One of the live ones is deleted after the inventory was taken.
const (
	demoLive     = 5000
	demoArchived = 500
)

// demoObject is one object of the demo's source bucket.
type demoObject struct {
	key   job.Key
	class string
	body  []byte
}

// demoNames are what people really call things: other scripts, blanks, plus and percent signs, quotes, commas, and what
// looks like an escape and is none.
var demoNames = []string{
	"report %d.pdf",
	"summer holiday %d.jpg",
	"a+b=c %d.txt",
	"100%% sure %d.md",
	"naïve café %d.png",
	"东京旅行 %d.jpg",
	"Привет мир %d.doc",
	"καλημέρα %d.csv",
	"🐎 drove %d.webp",
	"quote\"comma, %d.csv",
	"already%%20escaped %d.txt",
	"plain-%d.bin",
	"_under.score~tilde %d",
	"(copy) [%d] {final} #2.xlsx",
	"two  blanks & an ampersand %d.html",
	"semi;colon?query=%d",
}

var demoFolders = []string{
	"library/photos/2026/%02d/",
	"library/invoices/2025/q%d/",
	"library/deep/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/level %d/",
	"library/Ünïcödé und Leerzeichen/%d/",
	"library/50%% off + more/%d/",
}

// demoObjects makes the list: always the same one.
func demoObjects() []demoObject {
	objects := make([]demoObject, 0, demoLive+demoArchived)
	for i := range demoLive + demoArchived {
		o := demoObject{class: "STANDARD"}
		folder := fmt.Sprintf(demoFolders[i%len(demoFolders)], i%12+1)
		if i >= demoLive {
			folder = fmt.Sprintf("vault/%d/", 2015+i%10)
			o.class = "ARCHIVE"
			if i%5 == 0 {
				o.class = "DEEP_ARCHIVE"
			}
		}
		name := fmt.Sprintf(demoNames[i/len(demoFolders)%len(demoNames)], i)
		o.key = job.Key(folder + name)
		o.body = []byte(strings.Repeat(fmt.Sprintf("object %d of the demo\n", i), i%40+1))
		objects = append(objects, o)
	}
	return objects
}

// putAll stores objects, so many at a time.
func putAll(ctx context.Context, store object.Writer, bucket job.Bucket, objects []demoObject, atATime int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atATime)
	for i, o := range objects {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			_, err := store.Put(ctx, object.PutRequest{
				Bucket: bucket, Key: o.key, Body: bytes.NewReader(o.body), Size: int64(len(o.body)), Class: o.class,
				Meta: object.Metadata{
					ContentType: "application/octet-stream", User: map[string]string{"number": fmt.Sprint(i)},
				},
				Tags: []job.Tag{{Key: "origin", Value: "demo"}},
			})
			if err != nil {
				return fmt.Errorf("put %q: %w", o.key, err)
			}
			return nil
		})
	}
	return g.Wait()
}
