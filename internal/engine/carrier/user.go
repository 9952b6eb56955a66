package carrier

import (
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// Role is what a user of a cluster may do.
type Role string

// The roles.
const (
	RoleAPI    Role = "api"    // reads all records, writes those that callers own: jobs, tags, tokens, principals, roles and limits of regions
	RoleLeader Role = "leader" // everything, as a node itself
	RoleWorker Role = "worker" // reads records, claims chunks, hands in results, tells that it lives
)

// User is somebody who may connect to a cluster's Client address: by an nkey, or by a name and a password.
type User struct {
	Role     Role
	NKey     string // the public key, "U…"
	Name     string // if there is no NKey
	Password string // or a bcrypt hash of it
}

// id names the user in subjects, so that nobody hears another's answers.
func (u User) id() string {
	if u.NKey != "" {
		return u.NKey
	}
	return u.Name
}

func (u User) check() error {
	switch {
	case u.Role != RoleAPI && u.Role != RoleLeader && u.Role != RoleWorker:
		return job.Errorf(job.InvalidRequest, "engine.cluster: a user's role is %q; it must be api, leader or worker.", u.Role)
	case !isToken(u.id()) || u.NKey != "" && (u.NKey[0] != 'U' || len(u.NKey) != 56):
		return job.Errorf(job.InvalidRequest,
			"engine.cluster: a user needs a public nkey (56 characters that begin with U) or a name of letters, digits, - and _; %q is neither.", u.id())
	case u.NKey == "" && (u.Name == selfUser || u.Password == ""):
		return job.Errorf(job.InvalidRequest, "engine.cluster: user %q needs a password, and may not be called %q.", u.Name, selfUser)
	}
	return nil
}

// selfUser is what a node calls itself towards its own server.
const selfUser = "node"

func (u User) addTo(so *server.Options) {
	publish, subscribe := Permissions(u.Role, inboxOf(u.id()))
	p := &server.Permissions{
		Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe},
	}
	if u.NKey != "" {
		so.Nkeys = append(so.Nkeys, &server.NkeyUser{Nkey: u.NKey, Permissions: p})
		return
	}
	so.Users = append(so.Users, &server.User{Username: u.Name, Password: u.Password, Permissions: p})
}

func inboxOf(id string) string { return "_INBOX_" + id }

// Permissions gives the subjects that a role publishes and subscribes to, in the form of a NATS server's configuration.
// Embedded servers enforce them; an outside server is to be configured with them. inbox is the prefix of DialOptions.
func Permissions(r Role, inbox string) (publish, subscribe []string) {
	subscribe = []string{inbox + ".>"}
	if r == RoleLeader {
		return []string{"$JS.API.>", "$JS.ACK.>", "$KV.>", "work.>", "res.>", inbox + ".>"}, subscribe
	}
	for _, b := range buckets {
		publish = append(publish, onStream(bucketStream(b),
			"$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*", "$JS.API.CONSUMER.CREATE.*.>", "$JS.API.CONSUMER.INFO.*.>",
			"$JS.API.CONSUMER.MSG.NEXT.*.>", "$JS.API.CONSUMER.DELETE.*.>")...)
	}
	publish = append(publish, onStream(streamResults, "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*")...)
	publish = append(publish, onStream(streamWork, "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.INFO.*.>")...)
	if r == RoleAPI {
		return append(publish, recordSubject(engine.Jobs, "job.>"), recordSubject(engine.Jobs, "tags.>"),
			recordSubject(engine.Jobs, "token.>"), recordSubject(engine.Done, "done.>"), recordSubject(engine.Access, ">")), subscribe
	}
	// An ack sees to it that its chunk is gone.
	publish = append(publish, onStream(streamWork,
		"$JS.API.CONSUMER.MSG.NEXT.*.>", "$JS.ACK.*.>", "$JS.API.STREAM.MSG.GET.*", "$JS.API.STREAM.MSG.DELETE.*")...)
	return append(publish, "res.>", recordSubject(engine.Live, "worker.>"), recordSubject(engine.Jobs, "mpu.>")), subscribe
}

// onStream puts a stream's name in the place of the first asterisk.
func onStream(stream string, patterns ...string) []string {
	all := make([]string, len(patterns))
	for i, p := range patterns {
		all[i] = strings.Replace(p, "*", stream, 1)
	}
	return all
}
