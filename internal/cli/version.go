package cli

import (
	"runtime"
	"runtime/debug"
)

type versionCmd struct {
	output
}

// Run prints what the build recorded of itself.
func (c *versionCmd) Run(sh *shell) error {
	v := buildVersion()
	if c.json() {
		return sh.json(v)
	}
	sh.printf("drover %s", v.Version)
	if v.Revision != "" {
		sh.printf(" (%s)", v.Revision)
	}
	sh.printf(" %s %s\n", v.Go, v.Platform)
	return nil
}

type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // with + when there were changes beside it
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildVersion() versionInfo {
	v := versionInfo{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = b.Main.Version
	changed := ""
	for _, s := range b.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	if v.Revision != "" {
		v.Revision += changed
	}
	return v
}
