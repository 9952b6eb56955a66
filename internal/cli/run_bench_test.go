package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkRun is all of drover run copy, over a list in CSV.gz, with report and state, on the store that DROVER_BENCH_STORE names,
// which should be bench's stub. With -cpuprofile and -memprofile it shows where the whole product spends, and with the store null:
// where all but the client does.
func BenchmarkRun(b *testing.B) {
	url := os.Getenv("DROVER_BENCH_STORE")
	if url == "" {
		b.Skip("DROVER_BENCH_STORE names no store")
	}
	if b.N == 1 {
		return // the look before the count
	}
	dir := b.TempDir()
	list := filepath.Join(dir, "list.csv.gz")
	if err := os.WriteFile(list, benchList(b.N), 0o600); err != nil {
		b.Fatal(err)
	}
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}
	var out bytes.Buffer
	b.ReportAllocs()
	b.ResetTimer()
	code := Run(b.Context(), []string{
		"run", "copy", "--quiet", "--endpoint-url", url, "--region", "us-east-1", "--manifest", list, "--to", "dst",
		"--report", filepath.Join(dir, "report"), "--state", filepath.Join(dir, "state"),
	}, Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: func(name string) string { return env[name] }})
	b.StopTimer()
	if done := strconv.Itoa(b.N); code != 0 || !strings.Contains(strings.ReplaceAll(out.String(), ",", ""), done) {
		b.Fatalf("exit code %d, and no word of %s objects:\n%s", code, done, out.String())
	}
}

// benchList is a list of n objects as bench makes it.
func benchList(n int) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	for i := range n {
		fmt.Fprintf(z, "\"src\",\"k/%09d\"\n", i)
	}
	_ = z.Close() // to memory
	return out.Bytes()
}
