package console

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// limitInputs are the inputs of limits: of the bounds, and in columns of those at certain hours.
var limitInputs = slices.Concat([]string{"limit-rate", "limit-calls", "limit-bytes", "limit-zone"}, hoursInputs)

var hoursInputs = []string{"hours-from", "hours-to", "hours-rate", "hours-calls", "hours-bytes"}

// mebi is what limits of bytes are typed in.
const mebi = 1 << 20

// limitsForm is the part of a form that asks for limits: of a region, and of a job that is or will be.
type limitsForm struct {
	Rate, Calls, Bytes, Zone input
	Hours                    []hoursRow
	Error                    string // of the hours
	Open                     bool   // something is filled in, or wrong
}

// hoursRow is a row of limits at certain hours.
type hoursRow struct {
	From, To, Rate, Calls, Bytes string
	Drop                         string // what its button asks for; "" = an empty row has none
}

// limitsForm shows the form's limits, errs being what is wrong by input, with some empty rows for hours.
func (l language) limitsForm(f form, errs map[string]string, more bool) limitsForm {
	in := func(name, label, hint, kind string) input {
		return input{Name: name, Label: label, Hint: hint, Type: kind, Value: f.Get(name), Error: errs[name]}
	}
	p := limitsForm{
		Rate:  in("limit-rate", l.t("At most calls a second"), l.t("All workers together. Empty: as many as the store takes."), "number"),
		Calls: in("limit-calls", l.t("At most calls at a time"), "", "number"),
		Bytes: in("limit-bytes", l.t("At most MiB a second"), "", "number"),
		Zone:  in("limit-zone", l.t("Time zone of the hours"), l.t("UTC, or a name like Asia/Shanghai."), "text"),
		Hours: f.hours(), Error: errs["limit-hours"],
	}
	for i := range p.Hours {
		p.Hours[i].Drop = "drop:" + strconv.Itoa(i)
	}
	p.Open = len(p.Hours) > 0 || p.Error != ""
	for _, one := range []input{p.Rate, p.Calls, p.Bytes, p.Zone} {
		p.Open = p.Open || one.Value != "" || one.Error != ""
	}
	empty := 2
	if more {
		empty += 5
	}
	p.Hours = append(p.Hours, make([]hoursRow, max(empty-len(p.Hours), 1))...)
	return p
}

// hours are the rows in which something is filled in.
func (f form) hours() []hoursRow {
	var out []hoursRow
	for i := range f.Values["hours-from"] {
		column := func(name string) string {
			if all := f.Values[name]; i < len(all) {
				return strings.TrimSpace(all[i])
			}
			return ""
		}
		r := hoursRow{From: column("hours-from"), To: column("hours-to"), Rate: column("hours-rate"), Calls: column("hours-calls"), Bytes: column("hours-bytes")}
		if r != (hoursRow{}) {
			out = append(out, r)
		}
	}
	return out
}

func (f form) setHours(rows []hoursRow) {
	for _, name := range hoursInputs {
		f.Del(name)
	}
	for _, r := range rows {
		for i, value := range []string{r.From, r.To, r.Rate, r.Calls, r.Bytes} {
			f.Add(hoursInputs[i], value)
		}
	}
}

// dropHours takes a row out of the form, by its number among those in which something is filled in.
func (f form) dropHours(number string) {
	rows := f.hours()
	if i, err := strconv.Atoi(number); err == nil && i >= 0 && i < len(rows) {
		f.setHours(slices.Delete(rows, i, i+1))
	}
}

// limits are those of the form; an empty input bounds nothing. The problems are those of text that is no number or time;
// whether the limits make sense is for their own Validate to say.
func (f form) limits(l language, p *job.Problems) job.Limits {
	out := job.Limits{Bounds: l.parseBounds(p, "Limits", f.text("limit-rate"), f.text("limit-calls"), f.text("limit-bytes"))}
	for i, r := range f.hours() {
		field := fmt.Sprintf("Limits.Hours[%d]", i)
		h := job.Hours{Bounds: l.parseBounds(p, field, r.Rate, r.Calls, r.Bytes)}
		var err error
		if h.From, err = job.ParseClock(field, r.From); err == nil {
			h.To, err = job.ParseClock(field, r.To)
		}
		if err != nil {
			p.Add(err)
			h.From, h.To = 0, 1 // so that nothing else is said of them
		}
		out.Hours = append(out.Hours, h)
	}
	if len(out.Hours) > 0 {
		out.Zone = f.text("limit-zone")
	}
	return out
}

func (l language) parseBounds(p *job.Problems, field, rate, calls, bytes string) (b job.Bounds) {
	positive := func(name, text string) float64 {
		if text == "" {
			return 0
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v > 0 && v < 1e9) {
			p.Addf(field+name, "%s", l.t("give a number above zero, or leave it empty for no limit."))
			return 0
		}
		return v
	}
	b.Rate = positive(".Rate", rate)
	if v := positive(".Calls", calls); v != float64(int(v)) {
		p.Addf(field+".Calls", "%s", l.t("give a whole number, or leave it empty for no limit."))
	} else {
		b.Calls = int(v)
	}
	if v := positive(".Bytes", bytes) * mebi; v > 0 {
		b.Bytes = max(1, int64(v))
	}
	return b
}

// setLimits is the other way round.
func (f form) setLimits(all job.Limits) {
	text := func(v float64) string {
		if v == 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	row := func(b job.Bounds) hoursRow {
		return hoursRow{Rate: text(b.Rate), Calls: text(float64(b.Calls)), Bytes: text(float64(b.Bytes) / mebi)}
	}
	plain := row(all.Bounds)
	for name, value := range map[string]string{"limit-rate": plain.Rate, "limit-calls": plain.Calls, "limit-bytes": plain.Bytes, "limit-zone": all.Zone} {
		if value != "" {
			f.Set(name, value)
		}
	}
	var rows []hoursRow
	for _, h := range all.Hours {
		r := row(h.Bounds)
		r.From, r.To = job.ClockText(h.From), job.ClockText(h.To)
		rows = append(rows, r)
	}
	f.setHours(rows)
}

// blamed is what is wrong with an input, without the name of the field, which people do not know.
func (l language) blamed(e *job.Error) string {
	text := strings.TrimPrefix(e.Message, e.Field+": ")
	if rest, ok := strings.CutPrefix(e.Field, "Limits.Hours["); ok {
		number, _, _ := strings.Cut(rest, "]")
		if i, err := strconv.Atoi(number); err == nil {
			return l.t("Row %d: %s", i+1, text)
		}
	}
	return text
}

// limits are limits in words.
func (l language) limits(all job.Limits) string {
	return strings.Join(append([]string{l.bounds(all.Bounds)}, l.hours(all)...), "; ")
}

// hours are those at certain hours.
func (l language) hours(all job.Limits) (out []string) {
	for _, h := range all.Hours {
		out = append(out, job.ClockText(h.From)+"–"+job.ClockText(h.To)+" "+visible(all.Zone)+": "+l.bounds(h.Bounds))
	}
	return out
}

func (l language) bounds(b job.Bounds) string {
	var out []string
	if b.Rate > 0 {
		out = append(out, l.t("%s calls a second", strconv.FormatFloat(b.Rate, 'f', -1, 64)))
	}
	if b.Calls > 0 {
		out = append(out, l.t("%s calls at a time", number(int64(b.Calls))))
	}
	if b.Bytes > 0 {
		out = append(out, l.t("%s a second", size(b.Bytes)))
	}
	if len(out) == 0 {
		return l.t("no limit")
	}
	return strings.Join(out, ", ")
}

// limitFlags are the flags of the command line that set limits; prefix is what their names begin with.
func limitFlags(all job.Limits, prefix string, flag func(name, value string)) {
	for _, part := range boundsFlags(all.Bounds) {
		flag(prefix+part.Name, part.Value)
	}
	for _, h := range all.Hours {
		text := "unlimited"
		if parts := boundsFlags(h.Bounds); len(parts) > 0 {
			words := make([]string, len(parts))
			for i, part := range parts {
				words[i] = part.Name + ":" + part.Value
			}
			text = strings.Join(words, ",")
		}
		flag(prefix+"hours", job.ClockText(h.From)+"-"+job.ClockText(h.To)+"="+text)
	}
	flag(prefix+"zone", all.Zone)
}

func boundsFlags(b job.Bounds) (out []pair) {
	if b.Rate > 0 {
		out = append(out, pair{Name: "rate", Value: strconv.FormatFloat(b.Rate, 'f', -1, 64)})
	}
	if b.Calls > 0 {
		out = append(out, pair{Name: "calls", Value: decimalInt(int64(b.Calls))})
	}
	switch {
	case b.Bytes > 0 && b.Bytes%mebi == 0:
		out = append(out, pair{Name: "bytes", Value: decimalInt(b.Bytes/mebi) + "MiB"})
	case b.Bytes > 0:
		out = append(out, pair{Name: "bytes", Value: decimalInt(b.Bytes)})
	}
	return out
}

// limitCommand puts limits in force on the command line; what is the command up to its flags.
func limitCommand(what, prefix string, all job.Limits) string {
	if all.IsZero() {
		return what + " --unlimited"
	}
	limitFlags(all, prefix, func(name, value string) {
		if value != "" {
			what += " --" + name + " " + quoteArg(value)
		}
	})
	return what
}

// formOfLimits is a form with limits in it, and nothing else.
func formOfLimits(all job.Limits) form {
	f := form{url.Values{}}
	f.setLimits(all)
	return f
}
