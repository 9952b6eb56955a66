// Package walls holds no code: its test keeps the packages' arrows pointing one way (ARCHITECTURE.md, "Packages").
package walls

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/drover-batch/drover/"

// pkg is what the rules need of `go list -json`.
type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

// may lists, for each package of the product, which others of it it imports. A pattern that ends in "/..." takes all
// below it too; *test stands for all packages of helpers for tests. The first row that fits decides. What is not listed
// here imports nothing of the product; a new package gets a line.
var may = []struct {
	pkg     string
	imports []string
}{
	{"*test", []string{"internal/..."}},
	{"internal/job", nil},
	{"internal/failpoint", nil},
	{"internal/object", []string{"internal/job"}},
	{"internal/object/window", []string{"internal/object"}},
	{"internal/object/sockets", nil},
	{"internal/object/httpwire", []string{"internal/object", "internal/object/sockets", "internal/object/window", "internal/job"}},
	{"internal/object/probe", []string{"internal/object", "internal/job"}},
	{"internal/object/nullstore", []string{"internal/object", "internal/job"}},
	{"internal/operation", []string{"internal/object", "internal/failpoint", "internal/job"}},
	{"internal/manifest", []string{"internal/job"}},
	{"internal/report", []string{"internal/job"}},
	{"internal/inventory", []string{"internal/job", "internal/object"}},
	{"internal/access", []string{"internal/job"}},
	{"internal/access/rolestore", []string{
		"internal/access", "internal/operation", "internal/object", "internal/object/httpwire", "internal/object/window", "internal/job",
	}},
	{"internal/api", []string{"internal/job"}},
	{"internal/api/rest", []string{"client", "internal/api", "internal/access", "internal/operation", "internal/object", "internal/job"}},
	{"internal/api/xmltree", []string{"internal/job"}},
	{"internal/api/...", []string{"internal/api", "internal/api/xmltree", "internal/access", "internal/operation", "internal/object", "internal/job"}},
	{"internal/engine", []string{
		"internal/operation", "internal/object", "internal/object/window", "internal/manifest", "internal/report", "internal/inventory", "internal/failpoint", "internal/job",
	}},
	{"internal/engine/carrier", []string{"internal/engine", "internal/job"}},
	{"internal/console", []string{
		"internal/api", "internal/access", "internal/operation", "internal/manifest", "internal/object", "internal/object/probe", "internal/job",
	}},
	{"internal/localstore", []string{"internal/access", "internal/object", "internal/job"}},
	{"internal/telemetry", []string{"internal/job"}},
	{"internal/credentials", []string{"internal/access", "internal/job"}},
	{"internal/config", []string{
		"internal/credentials", "internal/access", "internal/access/rolestore", "internal/api", "internal/object/httpwire", "internal/job",
	}},
	{"client", []string{"internal/job"}},
	{"internal/cli", []string{"client", "internal/..."}},
	{"cmd/drover", []string{"internal/cli"}},
}

// row says which packages may use something that the others may not. Test files are free.
type row struct {
	what string
	in   []string
}

// modules are import paths, each with all that lies below it. The first row that fits decides.
var modules = []row{
	{"github.com/nats-io", []string{"internal/engine/carrier"}},
	{"github.com/cockroachdb/pebble", []string{"internal/localstore"}},
	{"github.com/aws/aws-sdk-go-v2/aws", []string{"client", "internal/cli", "internal/credentials", "*test"}}, // types and the signer
	{"github.com/aws", []string{"internal/credentials", "*test"}},
	{"github.com/tencentyun", []string{"*test"}},
	{"github.com/tencentcloud", []string{"internal/credentials"}},
	{"github.com/alecthomas/kong", []string{"internal/cli"}},
	{"github.com/schollz/progressbar", []string{"internal/cli"}},
	{"github.com/rogpeppe", []string{"*test"}},
	{"github.com/google/go-cmp", []string{"*test"}},
	{"pgregory.net/rapid", []string{"*test"}},
	{"go.uber.org/goleak", []string{"*test"}},
	{"html/template", []string{"internal/console"}},
	{"testing", []string{"*test"}},
}

// servers are the packages with the server side of net/http; internal/cli holds the one listener.
var servers = []string{"internal/api/...", "internal/console", "internal/localstore", "internal/cli"}

// names are identifiers of std.
var names = []row{
	{"net/http.Server", servers},
	{"net/http.Serve", servers},
	{"net/http.ListenAndServe", servers},
	{"net/http.NewServeMux", servers},
	{"net/http.ResponseWriter", servers},
	{"os.Exit", []string{"cmd/drover"}},
	{"syscall.RawSyscall", []string{"internal/object/sockets"}},
	{"syscall.RawSyscall6", []string{"internal/object/sockets"}},
	{"os.Getenv", []string{"internal/config", "internal/cli", "*test"}},
	{"os.LookupEnv", []string{"internal/config", "internal/cli"}},
	{"os.Environ", []string{"internal/config", "internal/cli"}},
}

func TestArrowsPointOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		var allowed []string
		for _, r := range may {
			if match(r.pkg, p.name()) {
				allowed = r.imports
				break
			}
		}
		for _, imp := range p.Imports {
			inner, ours := strings.CutPrefix(imp, module)
			if ours && strings.HasSuffix(imp, "test") {
				t.Errorf("%s imports %s: a *test package is for _test.go files", p.name(), inner)
			}
			if ours && !matchAny(allowed, inner) {
				t.Errorf("%s may not import %s (see the table in this test)", p.name(), inner)
			}
			if p.name() == "internal/job" && (strings.Contains(imp, ".") || imp == "context") {
				t.Errorf("internal/job imports %s: the domain has std only, and no context", imp)
			}
		}
	}
}

func TestWhatHasOnePlaceIsUsedThereOnly(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			check(t, p, imp, modules, func(what string) bool { return match(what+"/...", imp) })
		}
		for _, name := range p.identifiers(t) {
			check(t, p, name, names, func(what string) bool { return what == name })
		}
	}
}

func check(t *testing.T, p pkg, used string, rows []row, fits func(what string) bool) {
	t.Helper()
	for _, r := range rows {
		if !fits(r.what) {
			continue
		}
		if !matchAny(r.in, p.name()) {
			t.Errorf("%s uses %s: that is for tests and for %q", p.name(), used, r.in)
		}
		return
	}
}

// packages lists all packages of the module, by the tool that builds them.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	return all
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// identifiers gives what the package's own files use of the packages they import, as importpath.Name.
func (p pkg) identifiers(t *testing.T) []string {
	t.Helper()
	used := map[string]bool{}
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		local := map[string]string{}
		for _, s := range f.Imports {
			path := strings.Trim(s.Path.Value, `"`)
			name := path[strings.LastIndex(path, "/")+1:]
			if s.Name != nil {
				name = s.Name.Name
			}
			local[name] = path
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && local[x.Name] != "" {
					used[local[x.Name]+"."+sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	var out []string
	for u := range used {
		out = append(out, u)
	}
	return out
}

func match(pattern, name string) bool {
	if pattern == "*test" {
		return strings.HasSuffix(name, "test")
	}
	if p, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == p || strings.HasPrefix(name, p+"/")
	}
	return pattern == name
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}
