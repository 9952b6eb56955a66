package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

const referenceFile = "../../docs/cli.md"

// TestReferenceIsTheCommandTree compares docs/cli.md with the commands themselves.
func TestReferenceIsTheCommandTree(t *testing.T) {
	parser, err := newParser(new(root), Env{Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer)})
	if err != nil {
		t.Fatal(err)
	}
	want := reference(parser.Model)
	if *update {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/cli.md differs from the command tree: run go test ./internal/cli -update, and read the diff")
	}
}

// reference writes the command tree as Markdown.
func reference(app *kong.Application) string {
	var b strings.Builder
	b.WriteString("# Command line\n\n<!-- Made from the command tree by go test ./internal/cli -update. -->\n\n")
	b.WriteString(app.Help + "\n\n")
	b.WriteString("What is asked for goes to stdout; progress, hints and errors go to stderr. Progress is a bar with rate and ETA on a\n" +
		"terminal, plain lines elsewhere, and nothing with `--quiet`; `NO_COLOR` and `TERM=dumb` make it plain lines. Tables are aligned on\n" +
		"a terminal and have one tab between fields elsewhere.\n\n")
	b.WriteString("Flags of every command:\n\n")
	writeFlagTable(&b, app.Flags)
	b.WriteString("\nExit codes:\n\n| code | meaning |\n|---|---|\n")
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "| %d | %s |\n", e.code, e.text)
	}
	b.WriteString("\n`drover demo` ends with 0 when the outcomes are the expected ones, and with 1 when they are not.\n")
	for _, leaf := range app.Leaves(true) {
		writeCommand(&b, leaf)
	}
	return b.String()
}

func writeCommand(b *strings.Builder, n *kong.Node) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n```\n%s\n```\n", n.FullPath(), n.Help, "drover "+n.Summary())
	if n.Detail != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(n.Detail))
	}
	if len(n.Positional) > 0 {
		b.WriteString("\n| argument | meaning |\n|---|---|\n")
		for _, p := range n.Positional {
			fmt.Fprintf(b, "| `%s` | %s |\n", cell(p.Summary()), cell(p.Help))
		}
	}
	if len(n.Flags) > 0 {
		b.WriteString("\n")
		writeFlagTable(b, n.Flags)
	}
}

func writeFlagTable(b *strings.Builder, flags []*kong.Flag) {
	b.WriteString("| flag | meaning |\n|---|---|\n")
	for _, f := range flags {
		name := "--" + f.Name
		if !f.IsBool() {
			name += "=" + f.FormatPlaceHolder()
		}
		if f.Short != 0 {
			name = "-" + string(f.Short) + ", " + name
		}
		help := helpOf(f.Value)
		if f.Required {
			help += " Required."
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", cell(name), cell(help))
	}
}

// cell keeps a text within its cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
