package access

import (
	"encoding/json"
	"slices"
	"strings"
)

// Right is an action on a resource.
type Right struct {
	Action Action
	On     Resource
}

// PolicyOf makes the policy, in CAM's grammar, that allows rights and nothing else: a statement for each resource.
func PolicyOf(rights []Right) (Policy, error) {
	type statementJSON struct {
		Effect   string   `json:"effect"`
		Action   []string `json:"action"`
		Resource []string `json:"resource"`
	}
	var statements []statementJSON
	at := map[string]int{}
	for _, r := range rights {
		resource, action := r.On.pattern(), "name/"+string(r.Action)
		i, known := at[resource]
		if !known {
			i = len(statements)
			at[resource] = i
			statements = append(statements, statementJSON{Effect: "allow", Resource: []string{resource}})
		}
		if s := &statements[i]; !slices.Contains(s.Action, action) {
			s.Action = append(s.Action, action)
		}
	}
	// Resources that are allowed the same share a statement.
	var merged []statementJSON
	byActions := map[string]int{}
	for _, s := range statements {
		slices.Sort(s.Action)
		key := strings.Join(s.Action, " ")
		if i, ok := byActions[key]; ok {
			merged[i].Resource = append(merged[i].Resource, s.Resource...)
			continue
		}
		byActions[key] = len(merged)
		merged = append(merged, s)
	}
	if merged == nil {
		merged = []statementJSON{}
	}
	text, err := json.Marshal(struct {
		Version   string          `json:"version"`
		Statement []statementJSON `json:"statement"`
	}{"2.0", merged})
	if err != nil {
		return Policy{}, err
	}
	return ParsePolicy(text)
}

// pattern writes a resource so that a policy with it speaks of this resource: an object, all objects below a prefix, all
// that is listed below one, or a role.
func (r Resource) pattern() string {
	switch r.kind {
	case ofObject, ofBucket:
		account := ""
		if r.account.AppID != "" {
			account = "uid/" + r.account.AppID
		}
		s := "qcs::cos:" + string(r.region) + ":" + account + ":" + string(r.bucket) + "/" + r.key
		if r.begins || r.kind == ofBucket {
			s += "*"
		}
		return s
	}
	return r.String()
}
