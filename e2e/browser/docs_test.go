package browser

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// docs is where the pictures of the documentation go: make screenshots.
var docs = flag.String("docs", "", "take the pictures of the documentation, into this folder")

// TestPicturesOfTheDocumentation makes jobs as people would, and takes pictures of them.
func TestPicturesOfTheDocumentation(t *testing.T) {
	if *docs == "" {
		t.Skip("make screenshots")
	}
	s := openSite(t, "--concurrency", "6")
	const photos = 60
	s.objects("photos", "inventories", photos, types.StorageClassStandard)
	s.objects("photos-archive", "inventories", 40, types.StorageClass("ARCHIVE"))
	s.objects("photos-backup", "inventories", 0, "")
	var all strings.Builder // the same photos again and again: what a page shows of a long job does not depend on it
	for i := range photos {
		fmt.Fprintf(&all, "photos,2026/photo-%05d.jpg\n", i)
	}
	s.put("inventories", "photos-2026.csv", strings.Repeat(all.String(), 150_000/photos), types.StorageClassStandard)
	s.put("inventories", "with-gaps.csv", strings.Repeat("photos,2026/photo-00001.jpg\n", 900)+strings.Repeat("photos,2025/gone.jpg\n", 37), types.StorageClassStandard)

	s.make("inventories", "with-gaps.csv", "Thumbnails of last year", func() { s.fill("#target-bucket", "photos-backup") }, true)
	s.untilBadge("Complete")
	s.make("inventories", "photos-archive.csv", "Wake the archive for the anniversary", func() {
		s.choose("#operation-restore", "#days")
		s.choose("#tier-Bulk")
	}, true)
	s.untilBadge("Complete")
	s.make("inventories", "photos.csv", "Tag what legal has to keep", func() {
		s.choose("#operation-tagging", `.for-tagging input[name="set-key"]`)
		s.fill(`.for-tagging tr:first-child input[name="set-key"]`, "retention")
		s.fill(`.for-tagging tr:first-child input[name="set-value"]`, "7y")
	}, false)
	s.untilBadge("Suspended")
	s.make("inventories", "photos-2026.csv", "Photos of 2026 to the backup", func() {
		s.fill("#target-bucket", "photos-backup")
		s.choose("#prefix-replace", "#prefix-from")
		s.fill("#prefix-from", "2026/")
		s.fill("#prefix-to", "kept/2026/")
		s.set("#class", "STANDARD_IA")
		s.follow("#show-example", "#example")
		s.keep("wizard", 1280, 860, "light")
	}, true)
	s.untilBadge("Active")
	job := "/jobs/" + s.text("#job-id")
	s.until(`(document.querySelector(".chart .line")?.getAttribute("d").split("L").length ?? 0) > 14 &&
		Number(document.querySelector("#succeeded").textContent.replaceAll(",", "")) > 30_000`) // on a busy machine too
	s.visit(job, ".chart")
	s.keep("job", 1280, 980, "light")
	s.keep("job-phone", 390, 844, "dark")
	s.visit("/jobs", "table.jobs")
	s.keep("jobs", 1280, 560, "light")
	s.keep("jobs-dark", 1280, 560, "dark")
	s.visit("/storage", "#regions")
	s.follow(`#regions a[data-action="limits"]`, "#do")
	s.fill("#limit-rate", "200")
	s.fill("#limit-calls", "64")
	s.hours(1, "08:00", "20:00", "50")
	s.hours(2, "22:00", "06:00", "")
	s.fill("#limit-zone", "Asia/Shanghai")
	s.keep("region", 1280, 1080, "light")
}

// make goes through the wizard with a CSV.
func (s *site) make(bucket, list, description string, second func(), start bool) {
	s.Helper()
	s.list(bucket, list)
	s.follow("#next", "#operation-copy")
	second()
	s.follow("#next", "#description")
	s.set("#description", description)
	s.follow("#next", "#start")
	if start {
		s.choose("#start", "#create-and-start")
		s.follow("#create-and-start", "#job-id")
		return
	}
	s.follow("#create", "#job-id")
}

// keep takes a picture of the window into the documentation.
func (s *site) keep(name string, width, height int64, scheme string) {
	s.Helper()
	s.do(chromedp.EmulateViewport(width, height))
	s.scheme(scheme)
	r, err := chromedp.Call(s.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		s.Fatal(err)
	}
	small, err := smaller(r.Data)
	if err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*docs, "console-"+name+".png"), small, 0o644); err != nil {
		s.Fatal(err)
	}
	s.scheme("light")
	s.do(chromedp.EmulateViewport(1440, 900))
}

// smaller writes a picture with 256 colours: pages have few. Of colours that are much alike, the one that there is most
// of stands for all.
func smaller(b []byte) ([]byte, error) {
	from, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	count, alike := map[color.RGBA]int{}, map[color.RGBA]int{}
	box := from.Bounds()
	each := func(f func(x, y int, c color.RGBA)) {
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				f(x, y, color.RGBAModel.Convert(from.At(x, y)).(color.RGBA))
			}
		}
	}
	coarse := func(c color.RGBA) color.RGBA { return color.RGBA{c.R &^ 3, c.G &^ 3, c.B &^ 3, 255} }
	each(func(_, _ int, c color.RGBA) {
		count[c]++
		alike[coarse(c)]++
	})
	most := map[color.RGBA]color.RGBA{}
	for c, n := range count {
		if best, ok := most[coarse(c)]; !ok || n > count[best] {
			most[coarse(c)] = c
		}
	}
	groups := slices.SortedFunc(maps.Keys(alike), func(a, b color.RGBA) int { return cmp.Compare(alike[b], alike[a]) })
	var palette color.Palette
	for _, g := range groups[:min(len(groups), 256)] {
		palette = append(palette, most[g])
	}
	nearest := map[color.RGBA]uint8{}
	to := image.NewPaletted(box, palette)
	each(func(x, y int, c color.RGBA) {
		i, known := nearest[c]
		if !known {
			i = uint8(palette.Index(c))
			nearest[c] = i
		}
		to.SetColorIndex(x, y, i)
	})
	var out bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(&out, to); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
