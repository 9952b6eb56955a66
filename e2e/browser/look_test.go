package browser

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// widths are those of a desk, a tablet and a telephone.
var widths = []int64{1440, 768, 360}

// screen looks at the page: in three widths, light and dark, that it fits, that nothing is cut off, and that axe finds
// nothing serious. A picture of each is kept.
func (s *site) screen(name string) {
	s.Helper()
	for _, width := range widths {
		s.do(chromedp.EmulateViewport(width, 900))
		s.see("body")
		s.fits(name, width)
		for _, scheme := range []string{"light", "dark"} {
			s.scheme(scheme)
			s.picture(fmt.Sprintf("%s-%d-%s", name, width, scheme))
			switch {
			case scheme == "light" && width != 768:
				s.axe(name, width, scheme, `{}`)
			case scheme == "dark" && width == 1440:
				s.axe(name, width, scheme, `{runOnly: ["color-contrast"]}`)
			}
		}
	}
	s.scheme("light")
	s.do(chromedp.EmulateViewport(1440, 900))
}

func (s *site) scheme(scheme string) {
	s.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, media); err != nil {
		s.Fatal(err)
	}
}

func (s *site) picture(name string) {
	s.Helper()
	png, err := s.capture()
	if err != nil {
		s.Fatal(err)
	}
	s.save(name, png)
}

// capture takes a picture of the whole page, fast rather than small.
func (s *site) capture() ([]byte, error) {
	yes := true
	r, err := chromedp.Call(s.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &yes, OptimizeForSpeed: &yes})
	return r.Data, err
}

func (s *site) pictureOfFailure() {
	if png, err := s.capture(); err == nil {
		s.save("failure", png)
	}
}

func (s *site) save(name string, png []byte) {
	s.Helper()
	s.shot++
	if err := os.WriteFile(filepath.Join(s.shots, fmt.Sprintf("%02d-%s.png", s.shot, name)), png, 0o644); err != nil {
		s.Fatal(err)
	}
}

// misfits lists what is wider than the window, sticks out of it, or has text that is cut off or runs out of its box.
const misfits = `(() => {
	const bad = [], wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
	if (wide > 0) bad.push("the page is " + wide + " px too wide");
	const told = el => el.tagName.toLowerCase() + (el.id ? "#" + el.id : "") + (el.className.baseVal === undefined && el.className ? "." + el.className : "") + " " + JSON.stringify(el.textContent.trim().slice(0, 40));
	const scrolls = el => { for (let p = el.parentElement; p; p = p.parentElement) if (/auto|scroll/.test(getComputedStyle(p).overflowX)) return true; return false; };
	for (const el of document.querySelectorAll("body *")) {
		if (el.closest("svg, .hide, .skip, option, input, details:not([open]) > :not(summary)")) continue;
		const style = getComputedStyle(el), box = el.getBoundingClientRect();
		if (style.display === "none" || style.visibility === "hidden" || box.width <= 1) continue;
		if (/hidden|clip/.test(style.overflowX) && el.scrollWidth > el.clientWidth + 1) bad.push("cut off: " + told(el));
		if (el.matches("button, .button, .badge, .tile, .tabs a") && el.scrollWidth > el.clientWidth + 1) bad.push("runs over: " + told(el));
		if (box.right > document.documentElement.clientWidth + 1 && !scrolls(el)) bad.push("sticks out: " + told(el));
	}
	return bad.slice(0, 8).join("\n");
})()`

func (s *site) fits(name string, width int64) {
	s.Helper()
	bad, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](misfits))
	if err != nil {
		s.Fatal(err)
	}
	if bad != "" {
		s.Errorf("%s at %d px:\n%s", name, width, bad)
	}
}

//go:embed package.json
var packageJSON []byte

//go:embed package-lock.json
var packageLock []byte

var axeSource struct {
	once sync.Once
	text string
	err  error
}

// axeScript fetches axe-core as package-lock.json has it: npm checks its checksum. It is kept below .cache, which git does
// not look at.
func axeScript(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		missing(t, "no npm: it fetches axe-core")
	}
	a := &axeSource
	a.once.Do(func() {
		sum := sha256.Sum256(packageLock)
		dir := filepath.Join("..", "..", ".cache", "axe-"+hex.EncodeToString(sum[:6]))
		file := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
		b, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			if a.err = os.MkdirAll(dir, 0o755); a.err != nil {
				return
			}
			for name, content := range map[string][]byte{"package.json": packageJSON, "package-lock.json": packageLock} {
				if a.err = os.WriteFile(filepath.Join(dir, name), content, 0o644); a.err != nil {
					return
				}
			}
			ci := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
			ci.Dir = dir
			if out, err := ci.CombinedOutput(); err != nil {
				a.err = fmt.Errorf("npm ci: %w\n%s", err, out)
				return
			}
			b, err = os.ReadFile(file)
		}
		a.text, a.err = string(b), err
	})
	if a.err != nil {
		t.Fatal(a.err)
	}
	return a.text
}

// violation is something that axe has found.
type violation struct {
	ID, Impact, Help string
	Nodes            []string
}

// axe fails the test for what keeps people out of the page, or makes it hard for them.
func (s *site) axe(name string, width int64, scheme, options string) {
	s.Helper()
	script := axeScript(s.T)
	there, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](`typeof window.axe === "object"`))
	if err == nil && !there {
		_, err = chromedp.Run(s.ctx, chromedp.Evaluate[bool](script+"; true"))
	}
	if err != nil {
		s.Fatalf("load axe: %v", err)
	}
	text, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`axe.run(document, Object.assign({resultTypes: ["violations"]}, `+options+`)).then(r => JSON.stringify(r.violations.map(v => ({
		ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.slice(0, 4).map(n => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? ""))}))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		s.Fatalf("run axe on %s: %v", name, err)
	}
	var found []violation
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		s.Fatal(err)
	}
	for _, v := range found {
		report := s.Logf
		if v.Impact == "serious" || v.Impact == "critical" {
			report = s.Errorf
		}
		report("axe on %s at %d px, %s: %s, %s: %s\n\t%s", name, width, scheme, v.Impact, v.ID, v.Help, strings.Join(v.Nodes, "\n\t"))
	}
}
