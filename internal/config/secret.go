package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Secret is a reference to a secret: env:NAME or file:PATH. Only the reference is ever held or shown.
type Secret string

// UnmarshalYAML refuses whatever is no reference, without repeating it.
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.Value != "" && !isReference(n.Value) {
		return lineError(n, "a secret must be given by reference, as env:NAME or file:PATH, and not stand here itself")
	}
	*s = Secret(n.Value)
	return nil
}

func isReference(s string) bool {
	name, isEnv := strings.CutPrefix(s, "env:")
	path, isFile := strings.CutPrefix(s, "file:")
	return isEnv && name != "" && !strings.ContainsAny(name, " \t\r\n=") || isFile && path != ""
}

// ReadSecret follows a reference that stands in no file; relative paths start in the working directory.
func ReadSecret(reference string, getenv func(string) string) (string, error) {
	if !isReference(reference) {
		return "", fmt.Errorf("a secret must be given by reference, as env:NAME or file:PATH")
	}
	return place{getenv: getenv}.read(Secret(reference))
}

// place is where references are followed.
type place struct {
	getenv func(string) string
	dir    string // that relative paths start in
}

// read follows a reference. White space around what a file holds does not count.
func (p place) read(s Secret) (string, error) {
	if name, ok := strings.CutPrefix(string(s), "env:"); ok {
		v := p.getenv(name)
		if v == "" {
			return "", fmt.Errorf("the environment variable %s is empty or not set", name)
		}
		return v, nil
	}
	path, ok := strings.CutPrefix(string(s), "file:")
	if !ok {
		return "", fmt.Errorf("no secret is given; name one as env:NAME or file:PATH")
	}
	b, err := os.ReadFile(p.path(path))
	if err != nil {
		return "", err
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return "", fmt.Errorf("the file %s is empty", path)
	}
	return v, nil
}

// text is read for what may also stand in the file itself.
func (p place) text(s string) (string, error) {
	if isReference(s) {
		return p.read(Secret(s))
	}
	return s, nil
}

// path makes a path of the file absolute.
func (p place) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.dir, name)
}
