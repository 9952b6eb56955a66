package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestLimitsOfARegion changes the limits of the region, is overtaken by somebody else, and goes back; then once more without
// script.
func TestLimitsOfARegion(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	s.visit("/storage", "#regions")
	if got := s.text("#regions"); !strings.Contains(got, "no limit\tno limit") {
		t.Errorf("at first the region has %q", got)
	}
	s.follow(`#regions a[data-action="limits"]`, "#do")
	s.fill("#limit-rate", "50")
	s.do(chromedp.SendKeys("#limit-rate", kb.Enter)) // which is to send the form, and not to ask for more rows
	s.see(".flash")
	if got := s.text("#regions"); !strings.Contains(got, "50 calls a second\nSet by drover-dev") {
		t.Errorf("after 50 calls a second the region has %q", got)
	}

	s.follow(`#regions a[data-action="limits"]`, "#do")
	s.hours(1, "00:00", "12:00", "5")
	s.hours(2, "12:00", "00:00", "5")
	s.fill("#limit-zone", "Asia/Shanghai")
	s.screen("region")
	s.do(chromedp.Evaluate[chromedp.Void](`(() => { const r = new XMLHttpRequest(); r.open("POST", location.href, false);
		r.setRequestHeader("Content-Type", "application/x-www-form-urlencoded"); r.send("do=set&limit-rate=7") })()`))
	s.follow("#do", ".problem")
	if got := s.text("#present"); !strings.Contains(got, "7 calls a second") || s.value(`.hours tr:nth-child(2) input[name="hours-from"]`) != "12:00" {
		t.Errorf("to whoever was overtaken it says %q, or does not have what was typed", got)
	}
	s.screen("region-overtaken")
	s.follow("#do", ".flash")
	if got := s.text("#regions"); !strings.Contains(got, "5 calls a second\n00:00–12:00 Asia/Shanghai: 5 calls a second\n") {
		t.Errorf("with limits of all hours the region has %q", got)
	}
	s.screen("storage-regions")
	s.follow(`button[name="language"]`, `html[lang="zh-CN"]`)
	s.screen("storage-regions-chinese")
	s.follow(`#regions a[data-action="limits"]`, "#do")
	s.screen("region-chinese")
	s.follow(`button[name="language"]`, `html[lang="en"]`)

	s.scriptless = true
	if _, err := chromedp.Call(s.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	s.visit("/storage", "#regions")
	s.follow(`#regions a[data-action="limits"]`, "#do")
	s.click(`button[value="drop:0"]`)
	s.see(`.hours tr:nth-child(2):last-child`) // one of hours, and an empty one
	s.click(`button[value="rows"]`)
	s.see(`.hours tr:nth-child(7)`)
	s.follow("#do", ".flash")
	if got := s.text("#regions"); strings.Contains(got, "00:00–12:00") || !strings.Contains(got, "12:00–00:00 Asia/Shanghai: 5 calls a second") {
		t.Errorf("without the first row the region has %q", got)
	}
	s.follow(`#regions a[data-action="limits"]`, "#clear")
	s.follow("#clear", ".flash")
	if got := s.text("#regions"); !strings.Contains(got, "no limit\tno limit") {
		t.Errorf("after going back the region has %q", got)
	}
}
