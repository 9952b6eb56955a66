package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// texts gives every text that a page or the code shows, and where.
func texts(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	inPage := regexp.MustCompile(`\bt "((?:[^"\\]|\\.)*)"`)
	err := fs.WalkDir(files, "templates", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		for _, m := range inPage.FindAllStringSubmatch(string(b), -1) {
			found[m[1]] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "t" {
				return true
			}
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s: a text that is no literal cannot be looked up", name)
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Error(err)
			}
			found[text] = name
			return true
		})
	}
	return found
}

func TestTheCatalogueHasEveryTextAndNoOther(t *testing.T) {
	t.Parallel()
	verbs := regexp.MustCompile(`%[a-z]`)
	found := texts(t)
	if len(found) < 200 {
		t.Fatalf("only %d texts found", len(found))
	}
	for text, where := range found {
		other, ok := catalogue[text]
		if !ok {
			t.Errorf("%s: %q is missing in the catalogue", where, text)
			continue
		}
		if want, got := verbs.FindAllString(text, -1), verbs.FindAllString(other, -1); !slices.Equal(want, got) {
			t.Errorf("%q has %v, its translation %v", text, want, got)
		}
	}
	for text := range catalogue {
		if _, ok := found[text]; !ok {
			t.Errorf("%q is in the catalogue, but nothing shows it", text)
		}
	}
}

func TestLanguageOf(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]language{
		"": english, "de": english, "zh": chinese, "zh-TW,zh;q=0.9": chinese, "en-GB,en;q=0.9,zh-CN;q=0.8": english,
		"zh-CN,zh;q=0.9,en;q=0.8": chinese, "fr,zh;q=0.2,en;q=0.1": chinese, "en;q=0.1, zh;q=x": english, ";;,,q=": english,
	} {
		r := httptest.NewRequest("GET", "/console/", nil)
		r.Header.Set("Accept-Language", accept)
		if got := languageOf(r); got != want {
			t.Errorf("%q gives %s, want %s", accept, got, want)
		}
		r.Header.Set("Cookie", languageCookie+"=zh-CN")
		if got := languageOf(r); got != chinese {
			t.Errorf("%q and a choice of Chinese give %s", accept, got)
		}
	}
}
