package access

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// maxDepth is how deep a policy may be nested; one that means something has 4 levels.
const maxDepth = 8

// parseTree reads one JSON value. Other than encoding/json it refuses names that stand twice in an object, since two
// readers may take two different ones of them; names that differ in case only are the same.
func parseTree(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, job.FieldErrorf("policy", "more follows its end.")
	}
	return v, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, job.FieldErrorf("policy", "is nested deeper than %d levels.", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, job.FieldErrorf("policy", "is not JSON; the fault is near byte %d.", d.InputOffset())
	}
	switch t {
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, job.FieldErrorf("policy", "is not JSON; the fault is near byte %d.", d.InputOffset())
			}
			key := strings.ToLower(name.(string)) // the decoder lets nothing else stand here
			if _, twice := object[key]; twice {
				return nil, job.FieldErrorf("policy", "has %s twice in one place.", job.Quote(name.(string)))
			}
			if object[key], err = parseValue(d, depth+1); err != nil {
				return nil, err
			}
		}
		return object, end(d)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, end(d)
	}
	return t, nil
}

// end reads the bracket that closes an object or a list.
func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return job.FieldErrorf("policy", "is not JSON; the fault is near byte %d.", d.InputOffset())
	}
	return nil
}

// elements gives an object's elements; there may be no others than those named.
func elements(at string, v any, names ...string) (map[string]any, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, job.FieldErrorf(at, "must be an object with %s.", strings.Join(names, ", "))
	}
	for _, name := range sortedKeys(object) {
		if !slices.Contains(names, name) {
			return nil, job.FieldErrorf(at, "the element %s is not known here; what is known is %s.", job.Quote(name), strings.Join(names, ", "))
		}
	}
	return object, nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// texts takes a text or a list of them that is not empty.
func texts(field string, v any) ([]string, error) {
	if s, ok := v.(string); ok {
		return []string{s}, nil
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, job.FieldErrorf(field, "must be a text or a list of texts.")
	}
	if len(list) > maxPatterns {
		return nil, job.FieldErrorf(field, "has %d entries; at most %d are allowed.", len(list), maxPatterns)
	}
	out := make([]string, len(list))
	for i, e := range list {
		if out[i], ok = e.(string); !ok {
			return nil, job.FieldErrorf(field, "must be a text or a list of texts.")
		}
	}
	return out, nil
}
