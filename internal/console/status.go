package console

import (
	"github.com/drover-batch/drover/internal/job"
)

// badge is a status as pages show it: by word, icon and colour.
type badge struct {
	Text, Icon, Class string
}

func (l language) badge(s job.Status) badge {
	b := map[job.Status]badge{
		job.New:        {l.t("New"), "sparkle", "wait"},
		job.Preparing:  {l.t("Preparing"), "search", "busy"},
		job.Suspended:  {l.t("Suspended"), "hand", "ask"},
		job.Ready:      {l.t("Ready"), "clock", "wait"},
		job.Active:     {l.t("Active"), "play", "busy"},
		job.Pausing:    {l.t("Pausing"), "pause", "wait"},
		job.Paused:     {l.t("Paused"), "pause", "ask"},
		job.Completing: {l.t("Completing"), "file", "busy"},
		job.Complete:   {l.t("Complete"), "check", "good"},
		job.Cancelling: {l.t("Cancelling"), "stop", "wait"},
		job.Cancelled:  {l.t("Cancelled"), "stop", "gone"},
		job.Failing:    {l.t("Failing"), "alert", "bad"},
		job.Failed:     {l.t("Failed"), "alert", "bad"},
	}
	if v, ok := b[s]; ok {
		return v
	}
	return badge{visible(string(s)), "clock", "wait"}
}

// action is one thing that can be asked of a job.
type action string

const (
	confirm  action = "confirm"
	pause    action = "pause"
	resume   action = "resume"
	cancel   action = "cancel"
	priority action = "priority"
	limit    action = "limits"
	remove   action = "delete"
)

var actions = []action{confirm, pause, resume, cancel, priority, limit, remove}

// allowed reports whether a job's present status lets it be asked for that.
func (a action) allowed(j job.Job) bool {
	switch a {
	case confirm:
		return j.Status == job.Suspended
	case pause:
		return (j.Status == job.Ready || j.Status == job.Active || j.Status == job.Paused) && !j.PausedByUser
	case resume:
		return j.PausedByUser && (j.Status == job.Ready || j.Status == job.Pausing || j.Status == job.Paused)
	case cancel:
		return j.Status == job.New || j.Status.CanBecome(job.Cancelling)
	case priority, limit:
		return !j.Status.Final()
	case remove:
		return j.Status.Final()
	}
	return false
}

// button is an action as a page offers it.
type button struct {
	Action  string
	Text    string
	Icon    string
	URL     string
	Allowed bool
	Primary bool
	Danger  bool
	// Direct actions are posted at once; the others have a page of their own first.
	Direct bool
}

func (l language) actionText(a action) string {
	return map[action]string{
		confirm: l.t("Confirm and run"), pause: l.t("Pause"), resume: l.t("Resume"), cancel: l.t("Cancel Job"),
		priority: l.t("Priority"), limit: l.t("Limits"), remove: l.t("Delete record"),
	}[a]
}

// buttons gives all actions on a job, those that its status does not allow switched off.
func (l language) buttons(j job.Job) []button {
	icons := map[action]string{confirm: "play", pause: "pause", resume: "play", cancel: "stop", priority: "sort", limit: "gauge", remove: "trash"}
	out := make([]button, 0, len(actions))
	for _, a := range actions {
		out = append(out, button{
			Action: string(a), Text: l.actionText(a), Icon: icons[a], URL: jobURL(j.ID) + "/" + string(a), Allowed: a.allowed(j),
			Primary: a == confirm, Danger: a == cancel || a == remove, Direct: a == pause || a == resume,
		})
	}
	return out
}

func jobURL(id job.ID) string { return base + "/jobs/" + string(id) }
