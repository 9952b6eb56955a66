package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// client is one way to do the work. args gives its command line.
type client struct {
	binary string
	list   string // kind of list that it reads; "" for none
	args   func(job) []string
}

// job is what a client is to do.
type job struct {
	endpoint    string
	list        string
	objects     int
	connections int
	operation   string // of drover
	work        string // an empty folder of its own
}

var clients = map[string]client{
	"drover": {"drover", "csv", func(j job) []string {
		a := []string{
			"run", j.operation, "--quiet", "--endpoint-url", j.endpoint, "--region", "us-east-1", "--manifest", j.list,
			"--report", filepath.Join(j.work, "report"), "--state", filepath.Join(j.work, "state"), "--concurrency", strconv.Itoa(j.connections),
		}
		switch j.operation {
		case "copy":
			return append(a, "--to", "dst")
		case "restore":
			return append(a, "--days", "3", "--tier", "Standard")
		case "tag":
			return append(a, "--set", "project=blue")
		}
		return a
	}},
	// The client of drover alone, as a benchmark of its package: no list, no engine, no report.
	"drover's client": {"httpwire.test", "", func(j job) []string {
		return []string{"-test.run", "^$", "-test.bench", "^BenchmarkCopyStore$", "-test.benchtime", strconv.Itoa(j.objects) + "x"}
	}},
	// The calls alone: what the machine takes from any client, and so how much it had to give in these minutes.
	"bare loop": {"bare", "", func(j job) []string {
		return []string{"-addr", j.endpoint, "-objects", strconv.Itoa(j.objects), "-connections", strconv.Itoa(j.connections)}
	}},
	"s5cmd run": {"s5cmd", "s5cmd", func(j job) []string {
		return []string{"--endpoint-url", j.endpoint, "--log", "error", "--numworkers", strconv.Itoa(j.connections), "run", j.list}
	}},
	"s5cmd cp wildcard": {"s5cmd", "", func(j job) []string {
		return []string{"--endpoint-url", j.endpoint, "--log", "error", "--numworkers", strconv.Itoa(j.connections), "cp", "s3://src/k/*", "s3://dst/k/"}
	}},
	// The flags make it quick and are unsafe: with the last one, a HEAD that ends in 503 makes rclone delete its copy.
	"rclone copy": {"rclone", "rclone", func(j job) []string {
		return []string{
			"copy", "s:src", "s:dst", "--files-from-raw", j.list, "--transfers", strconv.Itoa(j.connections), "--checkers", strconv.Itoa(j.connections),
			"--no-traverse", "--no-check-dest", "--s3-no-check-bucket", "--s3-no-head", "--s3-no-head-object",
		}
	}},
	"mc cp --recursive": {"mc", "", func(job) []string { return []string{"--quiet", "cp", "--recursive", "l/src/", "l/dst/"} }},
}

// environment is all that a client gets to see.
func environment(endpoint, work, certificate string) []string {
	env := []string{
		"HOME=" + work, "PATH=/usr/bin:/bin", "TMPDIR=" + work,
		"DROVER_BENCH_STORE=" + endpoint, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=yyyyyyyy", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"RCLONE_CONFIG=/dev/null", "RCLONE_CONFIG_S_TYPE=s3", "RCLONE_CONFIG_S_PROVIDER=Other", "RCLONE_CONFIG_S_ENV_AUTH=true", "RCLONE_CONFIG_S_ENDPOINT=" + endpoint,
		"MC_CONFIG_DIR=" + filepath.Join(work, "mc"), "MC_HOST_l=" + strings.Replace(endpoint, "://", "://x:yyyyyyyy@", 1),
	}
	if certificate != "" {
		env = append(env, "SSL_CERT_FILE="+certificate, "AWS_CA_BUNDLE="+certificate)
	}
	return env
}

// version says what a binary was built from: drover by its commit, a peer by its module.
func version(ctx context.Context, binary string) (string, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", err
	}
	if strings.Contains(info.Path+info.Main.Path, "drover") {
		v, err := sources(ctx)
		return v + ", " + info.GoVersion, err
	}
	v := info.Main.Version
	for _, d := range info.Deps {
		if strings.HasPrefix(info.Path, d.Path) && d.Path != "" && v == "(devel)" {
			v = d.Version
		}
	}
	return v + ", " + info.GoVersion, nil
}

// sources names the last commit of the product's own sources, whatever has been committed beside them.
func sources(ctx context.Context) (string, error) {
	files := []string{"--", ":/cmd", ":/internal", ":/client", ":/go.mod"}
	out, err := exec.CommandContext(ctx, "git", append([]string{"log", "-1", "--format=%h"}, files...)...).Output()
	if err != nil {
		return "", fmt.Errorf("ask git for the commit: %w", err)
	}
	v := strings.TrimSpace(string(out))
	if exec.CommandContext(ctx, "git", append([]string{"diff", "--quiet", "HEAD"}, files...)...).Run() != nil {
		v += " and changes"
	}
	return v, nil
}
