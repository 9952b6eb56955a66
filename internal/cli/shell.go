package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"golang.org/x/term"
)

// shell is what every command gets: the process's streams, and the rules of what may be written to them.
//
//   - stdout holds the answer and nothing else; stderr holds progress, hints and errors.
//   - A terminal gets aligned columns, and keys quoted; a pipe gets plain tabs, and keys quoted only where they hold a
//     control character.
//   - Nothing here is coloured but the progress bar, which NO_COLOR and TERM=dumb make plain.
type shell struct {
	Env
	quiet  bool
	outTTY bool
	errTTY bool
}

func newShell(env Env, quiet bool) *shell {
	return &shell{Env: env, quiet: quiet, outTTY: isTerminal(env.Stdout), errTTY: isTerminal(env.Stderr)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// plain reports that escape sequences are not wanted.
func (s *shell) plain() bool {
	return !s.errTTY || s.Getenv("NO_COLOR") != "" || s.Getenv("TERM") == "dumb"
}

// fail writes an error and its hint.
func (s *shell) fail(err error) {
	fmt.Fprintf(s.Stderr, "drover: %s\n", oneLine(err.Error()))
	if hint := hintOf(err); hint != "" && !s.quiet {
		fmt.Fprintf(s.Stderr, "hint: %s\n", hint)
	}
}

// note writes a line for people, if they want any.
func (s *shell) note(format string, args ...any) {
	if !s.quiet {
		fmt.Fprintf(s.Stderr, format+"\n", args...)
	}
}

// output is the flag of commands that read.
type output struct {
	Output string `default:"table" enum:"table,json" placeholder:"FORMAT" help:"table or json."`
}

func (o output) json() bool { return o.Output == "json" }

// printf writes a part of the answer.
func (s *shell) printf(format string, args ...any) { fmt.Fprintf(s.Stdout, format, args...) }

// json writes the answer as one indented JSON value.
func (s *shell) json(v any) error {
	e := json.NewEncoder(s.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table writes rows under a header: in aligned columns on a terminal, with one tab between fields elsewhere.
func (s *shell) table(header []string, rows [][]string) error {
	if !s.outTTY {
		for _, r := range append([][]string{header}, rows...) {
			if _, err := fmt.Fprintln(s.Stdout, strings.Join(r, "\t")); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(s.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range append([][]string{header}, rows...) {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// foreign makes text that others wrote (keys, messages of stores) fit to print: quoted wherever it holds what a terminal
// would act on or cannot show. Plain names stay as they are, so that they can be copied.
func (s *shell) foreign(text string) string {
	quoted := strconv.Quote(text)
	if quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

// oneLine takes control characters out of a message.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
