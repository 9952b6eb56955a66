package config

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Part is a value for a key of a section.
type Part struct {
	Key   string
	Value any // for yaml
}

// Compose gives the text of a file with some keys of its sections set anew, and all else as it was, with its comments. A
// value of nil removes the key. text may be empty.
func Compose(text []byte, section string, parts ...Part) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	if root.Kind == 0 {
		root = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, errors.New("it is no mapping of keys to values")
	}
	at := lookup(top, section)
	switch {
	case at == nil:
		at = &yaml.Node{Kind: yaml.MappingNode}
		top.Content = append(top.Content, scalar(section), at)
	case at.Kind != yaml.MappingNode: // a word, as off, or nothing
		*at = yaml.Node{Kind: yaml.MappingNode}
	}
	for _, p := range parts {
		if err := set(at, p); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", section, p.Key, err)
		}
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	err := e.Encode(&root)
	return out.Bytes(), errors.Join(err, e.Close())
}

func scalar(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

func lookup(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

func set(m *yaml.Node, p Part) error {
	var v yaml.Node
	if p.Value != nil {
		if err := v.Encode(p.Value); err != nil {
			return err
		}
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value != p.Key {
			continue
		}
		if p.Value == nil {
			m.Content = append(m.Content[:i], m.Content[i+2:]...)
		} else {
			m.Content[i+1] = &v
		}
		return nil
	}
	if p.Value != nil {
		m.Content = append(m.Content, scalar(p.Key), &v)
	}
	return nil
}
