package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// File is a configuration that was read and found good. Effective is what it says, with defaults and overrides.
type File struct {
	Effective *Config
	path      string
	lines     map[string]int    // of the keys in the file
	overrides map[string]string // the variables that overrode them
	at        place
}

// Load reads a file and overrides it from the environment. All that is wrong with it is in the one error, each problem
// with its line where it has one. It follows no reference to a secret.
func Load(path string, getenv func(string) string) (*File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b, getenv)
}

// Parse is Load of a file's text; path is for messages, and relative paths in it start in its folder.
func Parse(path string, text []byte, getenv func(string) string) (*File, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: is longer than %d bytes", path, maxFile)
	}
	f := &File{
		Effective: defaults(), path: path, lines: map[string]int{}, overrides: map[string]string{},
		at: place{getenv: getenv, dir: filepath.Dir(path)},
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, f.explain(err)
	}
	if len(root.Content) > 0 {
		noteLines(f.lines, "", root.Content[0])
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(f.Effective); err != nil && !errors.Is(err, io.EOF) {
		return nil, f.explain(err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: holds more than one document", path)
	}
	if err := f.override(); err != nil {
		return nil, err
	}
	if err := f.complete(); err != nil {
		return nil, err
	}
	return f, nil
}

func lineError(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...))
}

var unknownField = regexp.MustCompile(`field (.*) not found in type \S+`)

// explain says where in the file the decoder met what it did not take.
func (f *File) explain(err error) error {
	parts := []string{err.Error()}
	if e, ok := errors.AsType[*yaml.TypeError](err); ok {
		parts = e.Errors
	}
	var errs []error
	for _, p := range parts {
		p = strings.TrimPrefix(p, "yaml: ")
		p = unknownField.ReplaceAllString(p, "the key $1 is not known here")
		where := f.path + ": "
		if rest, ok := strings.CutPrefix(p, "line "); ok {
			where, p = f.path+":", rest
		}
		errs = append(errs, errors.New(where+p))
	}
	return errors.Join(errs...)
}

// noteLines finds the line of every key.
func noteLines(lines map[string]int, at string, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := join(at, n.Content[i].Value)
			lines[key] = n.Content[i].Line
			noteLines(lines, key, n.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, e := range n.Content {
			key := fmt.Sprintf("%s[%d]", at, i)
			lines[key] = e.Line
			noteLines(lines, key, e)
		}
	}
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// override takes what the environment says of the sections that are no lists: DROVER_ and the key's path in capitals,
// as DROVER_LISTEN_ADDR.
func (f *File) override() error {
	return f.overrideIn("", reflect.ValueOf(f.Effective).Elem())
}

func (f *File) overrideIn(at string, v reflect.Value) error {
	for i := range v.NumField() {
		key, field := join(at, v.Type().Field(i).Tag.Get("yaml")), v.Field(i)
		switch {
		case field.Kind() == reflect.Struct:
			if err := f.overrideIn(key, field); err != nil {
				return err
			}
			continue
		case field.Kind() == reflect.Map || field.Kind() == reflect.Slice:
			continue
		}
		name := Variable(key)
		text := f.at.getenv(name)
		if text == "" {
			continue
		}
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
		if field.Kind() == reflect.String {
			n.Tag = "!!str"
		}
		if err := n.Decode(field.Addr().Interface()); err != nil {
			return fmt.Errorf("the environment variable %s does not fit %s, which is a %s", name, key, field.Kind())
		}
		f.overrides[key] = name
	}
	return nil
}

// fieldNames gives the keys of a section.
func fieldNames(section any) []string {
	t := reflect.TypeOf(section)
	out := make([]string, t.NumField())
	for i := range out {
		out[i] = t.Field(i).Tag.Get("yaml")
	}
	return out
}

// Variable names the environment variable that overrides a key.
func Variable(key string) string {
	return "DROVER_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// Setting is one effective value and where it comes from.
type Setting struct {
	Key    string
	Value  string
	Source string // default, FILE:LINE, or a variable's name
}

// Settings lists what is in force, by key. Secrets stand there as what they are in the file: references.
func (f *File) Settings() ([]Setting, error) {
	var n yaml.Node
	if err := n.Encode(f.Effective); err != nil {
		return nil, err
	}
	var out []Setting
	f.flatten(&out, "", &n)
	slices.SortStableFunc(out, func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

func (f *File) flatten(out *[]Setting, at string, n *yaml.Node) {
	if strings.HasSuffix(at, ".policy") && n.Kind != yaml.ScalarNode {
		*out = append(*out, Setting{at, "(a policy)", f.source(at)})
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			f.flatten(out, join(at, n.Content[i].Value), n.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, e := range n.Content {
			f.flatten(out, fmt.Sprintf("%s[%d]", at, i), e)
		}
	default:
		*out = append(*out, Setting{at, n.Value, f.source(at)})
	}
}

// Given reports whether a key has its value from the file or the environment.
func (f *File) Given(key string) bool { return f.source(key) != "default" }

func (f *File) source(key string) string {
	if name, ok := f.overrides[key]; ok {
		return name
	}
	if line, ok := f.lines[key]; ok {
		return fmt.Sprintf("%s:%d", f.path, line)
	}
	return "default"
}
