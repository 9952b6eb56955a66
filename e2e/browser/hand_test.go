package browser

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/chromedp/chromedp"
)

// The mouse goes to a place and not to an element: while a page is loading, styled, painted for the first time or renewed
// by htmx, a click lands elsewhere or nowhere, and what is waited for may be seen before its style hides it. So all that a
// person does with a page is here, and waits for the page first.

// settled is true of a page that is loaded, styled and painted, and in which htmx changes nothing.
const settled = `document.readyState === "complete" && document.fonts.status === "loaded" &&
	[...document.querySelectorAll('link[rel="stylesheet"]')].every(link => link.sheet) &&
	performance.getEntriesByName("first-contentful-paint").length > 0 &&
	!document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added") &&
	!document.getAnimations().some(a => a.playState === "running" && a.effect?.getComputedTiming().endTime !== Infinity)`

// frame is the time between two looks at a page: a browser draws 60 frames a second.
const frame = time.Second / 60

// patience bounds one wait, so that a page can be pictured that never comes to what is waited for.
const patience = 2 * time.Minute

// still is the number of looks that find an element at the same place before it is clicked.
const still = 3

// tries bounds how often a click that did not come to its element is made again.
const tries = 10

// ask looks at the page with a JavaScript expression until it has an answer that will do. A page that is on its way to
// another has none.
func ask[T any](s *site, expression string, enough func(T) bool) T {
	s.Helper()
	tick := time.NewTicker(frame)
	defer tick.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		got, err := chromedp.Run(s.ctx, chromedp.Evaluate[T](expression))
		if err == nil && enough(got) {
			return got
		}
		select {
		case <-late.C:
			s.pictureOfFailure()
			s.Fatalf("the page never gave the answer that was waited for, but %v (%v), to %s", got, err, expression)
		case <-s.ctx.Done():
			s.Fatalf("the test's time is over: the page answers %v (%v) to %s", got, err, expression)
		case <-tick.C:
		}
	}
}

// until waits until a JavaScript expression is true in a page that may renew itself meanwhile.
func (s *site) until(expression string) {
	s.Helper()
	ask(s, expression, func(ok bool) bool { return ok })
}

// see waits until the page is settled, and each of these is to be seen on it.
func (s *site) see(selectors ...string) {
	s.Helper()
	for _, selector := range selectors {
		s.until(settled + " && " + seen(selector))
	}
}

// seen is true of a page that shows the element.
func seen(selector string) string {
	return fmt.Sprintf(`document.querySelector(%s)?.checkVisibility({visibilityProperty: true}) === true`, quote(selector))
}

// text is what can be read of an element.
func (s *site) text(selector string) string {
	s.Helper()
	return *ask(s, fmt.Sprintf(`%s && %s ? document.querySelector(%s).innerText : null`, settled, seen(selector), quote(selector)), there)
}

// value is what stands in an input.
func (s *site) value(selector string) string {
	s.Helper()
	return *ask(s, fmt.Sprintf(`%s ? document.querySelector(%s)?.value : null`, settled, quote(selector)), there)
}

func there(text *string) bool { return text != nil }

// place is the middle of an element in the window, in CSS pixels.
type place struct{ X, Y float64 }

// rest scrolls to an element, and waits until the page is settled and the element keeps its place, which it returns.
func (s *site) rest(selector string) place {
	s.Helper()
	var last place
	same := 0
	return *ask(s, fmt.Sprintf(`(() => {
		const el = document.querySelector(%s);
		if (!el || !(%s)) return null;
		el.scrollIntoView({block: "center", behavior: "instant"});
		const box = el.getClientRects()[0];
		return box?.width > 0 && box.height > 0 ? {X: box.x + box.width / 2, Y: box.y + box.height / 2} : null;
	})()`, quote(selector), settled), func(at *place) bool {
		switch {
		case at == nil:
			same = 0
		case *at == last:
			same++
		default:
			last, same = *at, 1
		}
		return same >= still
	})
}

// watch counts the clicks that come to an element. Those that come to others, and all after the first, are stopped: so a
// click that was lost can be made again, and no form is sent twice.
const watch = `((n, selector) => {
	if (!window.hand) addEventListener("click", e => {
		const hand = window.hand;
		if (hand.over) return;
		if (!hand.heard && e.target.closest?.(hand.selector)) { hand.heard = true; return; }
		e.preventDefault();
		e.stopImmediatePropagation();
	}, true);
	window.hand = {n, selector, heard: false, over: false};
})(%d, %s)`

// click clicks on an element once. The page that it did so on is that whose window.hand.n is the answer.
func (s *site) click(selector string) int {
	s.Helper()
	s.clicks++
	for range tries {
		at := s.rest(selector)
		s.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(watch, s.clicks, quote(selector))), chromedp.MouseClickXY(at.X, at.Y))
		if s.scriptless {
			return s.clicks // nothing in the page counts
		}
		heard := ask(s, fmt.Sprintf(`(() => {
			const hand = window.hand;
			if (hand?.n !== %d) return "left";
			if (!hand.heard) return "lost";
			hand.over = true;
			return "heard";
		})()`, s.clicks), func(string) bool { return true })
		if heard != "lost" {
			return s.clicks
		}
		s.Logf("a click on %s was lost, and is made again", selector)
	}
	s.pictureOfFailure()
	s.Fatalf("clicks on %s do not come to it: something lies over it", selector)
	return 0
}

// follow clicks on what leads to another page, and waits for something on that.
func (s *site) follow(selector, wait string) {
	s.Helper()
	for {
		n := s.click(selector)
		s.until(fmt.Sprintf(`window.hand?.n !== %d`, n))
		if !s.scriptless {
			s.see(wait)
			return
		}
		// Without script the browser loads some pages again by itself: if it did so just then, the link is still there. What
		// sends a form is on none of these pages, and is never clicked again.
		if ask(s, fmt.Sprintf(`!(%s) ? "" : %s ? "there" : document.querySelector(%s)?.matches("a") ? "again" : ""`, settled, seen(wait), quote(selector)),
			func(is string) bool { return is != "" }) == "there" {
			return
		}
	}
}

// open opens something that is folded, and waits for what is in it.
func (s *site) open(selector, wait string) {
	s.Helper()
	s.click(selector + " summary")
	s.until(fmt.Sprintf(`document.querySelector(%s).parentElement.open`, quote(selector+" summary")))
	if wait != "" {
		s.see(wait)
	}
}

// choose chooses a radio or ticks a box, and waits for what that shows.
func (s *site) choose(selector string, wait ...string) {
	s.Helper()
	s.rest(selector)
	if checked := fmt.Sprintf(`document.querySelector(%s).checked`, quote(selector)); !ask(s, checked, func(bool) bool { return true }) {
		s.click(selector)
		s.until(checked)
	}
	s.see(wait...)
}

// fill types a text at the end of a field's.
func (s *site) fill(selector, text string) {
	s.Helper()
	s.rest(selector)
	want := s.value(selector) + text
	s.do(chromedp.SendKeys(selector, text))
	s.until(fmt.Sprintf(`document.querySelector(%s).value === %s`, quote(selector), quote(want)))
}

// set puts a value into a field, or chooses it from a list, in place of what was there.
func (s *site) set(selector, value string) {
	s.Helper()
	s.rest(selector)
	s.do(chromedp.SetValue(selector, value))
	s.until(fmt.Sprintf(`document.querySelector(%s).value === %s`, quote(selector), quote(value)))
}

// visit goes to a page of the console, and waits for something on it.
func (s *site) visit(path, wait string) {
	s.Helper()
	s.do(chromedp.Navigate(s.console + path))
	s.see(wait)
}

// quote makes a text one of JavaScript.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // no text is like that
	}
	return string(b)
}
