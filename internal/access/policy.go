package access

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// Policy says what may be done to what. The zero value allows nothing. It is immutable, and small enough to pass around.
type Policy struct{ doc *document }

type document struct {
	text       string // as given, compacted
	statements []statement
}

type statement struct {
	deny      bool
	actions   []actionPattern
	resources []resourcePattern
}

// FullAccess is the policy that allows everything.
func FullAccess() Policy {
	return Policy{&document{
		text:       `{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*"}]}`,
		statements: []statement{{actions: []actionPattern{{all: true}}, resources: []resourcePattern{{all: true}}}},
	}}
}

// String gives the policy's JSON.
func (p Policy) String() string {
	if p.doc == nil {
		return `{"version":"2.0","statement":[]}`
	}
	return p.doc.text
}

// MarshalJSON gives the policy as its own JSON.
func (p Policy) MarshalJSON() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalJSON is ParsePolicy.
func (p *Policy) UnmarshalJSON(b []byte) error {
	parsed, err := ParsePolicy(b)
	if err == nil {
		*p = parsed
	}
	return err
}

// Decision is what a policy says of an action on a resource.
type Decision int

// The decisions. Nothing said is as good as denied.
const (
	Silent Decision = iota
	Allowed
	Denied // by a statement that says so
)

// Decide says whether an action may be done. A statement that denies it wins over all that allow it. Of a Resource made
// by ObjectsBelow, Allowed means that some of the objects are allowed and Denied that all of them are denied.
func (p Policy) Decide(a Action, r Resource) Decision {
	decision := Silent
	if p.doc == nil {
		return decision
	}
	for _, s := range p.doc.statements {
		if !s.deny && decision == Allowed || !s.speaksOf(a, r) {
			continue
		}
		if s.deny {
			return Denied
		}
		decision = Allowed
	}
	return decision
}

func (s statement) speaksOf(a Action, r Resource) bool {
	return slices.ContainsFunc(s.actions, func(p actionPattern) bool { return p.match(a, r.versioned) }) &&
		slices.ContainsFunc(s.resources, func(p resourcePattern) bool { return p.match(r, s.deny) })
}

// Check is Decide as an error: AccessDenied that names the action and the resource. who is for its sentence.
func (p Policy) Check(who string, a Action, r Resource) error {
	switch p.Decide(a, r) {
	case Allowed:
		return nil
	case Denied:
		return job.Errorf(job.AccessDenied, "The policy of %s denies %s on %s.", who, a, job.Quote(r.String()))
	default:
		return job.Errorf(job.AccessDenied, "The policy of %s does not allow %s on %s: add a statement that does.", who, a, job.Quote(r.String()))
	}
}

// The bounds of a policy: its length in bytes, and what stands in it. IAM's own are 6,144 and 10,240 characters.
const (
	maxPolicy     = 64 << 10
	maxStatements = 100
	maxPatterns   = 1000
)

// ParsePolicy reads a policy in the grammar of CAM (Tencent doc page 598/10603: version "2.0", statement, effect,
// action, resource) or of IAM (AWS IAM, "Grammar of the IAM JSON policy language": Version "2012-10-17", Statement, Sid,
// Effect, Action, Resource). Names of elements may be in upper or lower case in both.
//
// What it does not know, it refuses, since a policy that is half understood allows too much: conditions, principals,
// NotAction and NotResource, policy variables, services other than cos, s3, cam, iam and sts. Errors are
// InvalidArgument with the element's path as field.
func ParsePolicy(text []byte) (Policy, error) {
	if len(text) > maxPolicy {
		return Policy{}, job.FieldErrorf("policy", "is %d bytes long; at most %d are allowed.", len(text), maxPolicy)
	}
	tree, err := parseTree(text)
	if err != nil {
		return Policy{}, err
	}
	doc, err := elements("policy", tree, "version", "statement", "id")
	if err != nil {
		return Policy{}, err
	}
	version, _ := doc["version"].(string)
	if version != "2.0" && version != "2012-10-17" && version != "2008-10-17" {
		return Policy{}, job.FieldErrorf("policy.version", `must be "2.0" (CAM) or "2012-10-17" (IAM).`)
	}
	list, ok := doc["statement"].([]any)
	if _, single := doc["statement"].(map[string]any); single {
		list, ok = []any{doc["statement"]}, true
	}
	if !ok {
		return Policy{}, job.FieldErrorf("policy.statement", "must be a list of statements.")
	}
	if len(list) > maxStatements {
		return Policy{}, job.FieldErrorf("policy.statement", "has %d statements; at most %d are allowed.", len(list), maxStatements)
	}
	var d document
	for i, v := range list {
		s, err := parseStatement("policy.statement["+strconv.Itoa(i)+"]", v)
		if err != nil {
			return Policy{}, err
		}
		d.statements = append(d.statements, s)
	}
	d.text = compact(text)
	return Policy{&d}, nil
}

func compact(text []byte) string {
	var v json.RawMessage
	if json.Unmarshal(text, &v) != nil {
		return ""
	}
	b, err := json.Marshal(v) // compacts
	if err != nil {
		return ""
	}
	return string(b)
}

func parseStatement(at string, v any) (statement, error) {
	e, err := elements(at, v, "sid", "effect", "action", "resource")
	if err != nil {
		return statement{}, err
	}
	var s statement
	effect, _ := e["effect"].(string)
	switch strings.ToLower(effect) {
	case "allow":
	case "deny":
		s.deny = true
	default:
		return s, job.FieldErrorf(at+".effect", "must be allow or deny.")
	}
	actions, err := texts(at+".action", e["action"])
	if err != nil {
		return s, err
	}
	for _, text := range actions {
		p, err := parseAction(at+".action", text)
		if err != nil {
			return s, err
		}
		s.actions = append(s.actions, p)
	}
	resources, err := texts(at+".resource", e["resource"])
	if err != nil {
		return s, err
	}
	for _, text := range resources {
		p, err := parseResource(at+".resource", text)
		if err != nil {
			return s, err
		}
		s.resources = append(s.resources, p)
	}
	return s, nil
}

func parseAction(field, text string) (actionPattern, error) {
	if text == "*" {
		return actionPattern{all: true}, nil
	}
	service, name, ok := strings.Cut(strings.TrimPrefix(text, "name/"), ":")
	if !ok {
		return actionPattern{}, job.FieldErrorf(field, "%s is no action; write it like name/cos:GetObject, cos:GetObject, s3:GetObject or *.", job.Quote(text))
	}
	known, ok := services[strings.ToLower(service)]
	if !ok {
		return actionPattern{}, job.FieldErrorf(field, "%s is of a service that is not known here; use cos, s3, cam, iam or sts.", job.Quote(text))
	}
	if name == "" || strings.Trim(name, actionBytes) != "" {
		return actionPattern{}, job.FieldErrorf(field, "%s has no name of letters, digits and wildcards behind the service.", job.Quote(text))
	}
	return actionPattern{service: known.ours, aws: known.aws, name: strings.ToLower(name)}, nil
}

const actionBytes = "*?0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func parseResource(field, text string) (resourcePattern, error) {
	if text == "*" {
		return resourcePattern{all: true}, nil
	}
	bad := func(what string) (resourcePattern, error) {
		return resourcePattern{}, job.FieldErrorf(field, "%s %s; write it like qcs::cos:ap-guangzhou:uid/1250000000:bucket-1250000000/*, arn:aws:s3:::bucket/* or *.", job.Quote(text), what)
	}
	if strings.Contains(text, "${") {
		return bad("has a variable, which is not known here")
	}
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "qcs" && parts[0] != "arn" {
		return bad("names no resource")
	}
	p := resourcePattern{aws: parts[0] == "arn", service: parts[2], region: parts[3], account: parts[4], name: parts[5]}
	if p.aws && parts[1] == "" {
		return bad("names no partition")
	}
	if p.name == "" {
		return bad("ends too early")
	}
	// CAM names objects as /prefix//appid/bucket/key in old policies (Tencent doc page 598/10606).
	if !p.aws && strings.HasPrefix(p.name, "prefix//") {
		return bad("is in the old form prefix//")
	}
	if !p.aws && p.account != "" && p.account != "*" && !strings.HasPrefix(p.account, "uid/") && !strings.HasPrefix(p.account, "uin/") {
		return bad("has an account that is neither uid/<APPID> nor uin/<UIN>")
	}
	if p.service != "*" && p.service != "cos" && p.service != "s3" && p.service != "cam" && p.service != "iam" {
		return bad("is of a service that is not known here")
	}
	return p, nil
}
