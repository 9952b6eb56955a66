package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// lists are the kinds of lists of the same objects, src/k/000000000 and so on; copies go to the same keys of dst.
var lists = map[string]struct{ ext, row string }{
	"csv":    {".csv.gz", "\"src\",\"k/%09d\"\n"},
	"s5cmd":  {".s5cmd", "cp s3://src/k/%09[1]d s3://dst/k/%09[1]d\n"},
	"rclone": {".rclone", "k/%09d\n"},
}

// list makes a list of n objects, unless it is there.
func (b bench) list(kind string, n int) (name string, err error) {
	l := lists[kind]
	name = filepath.Join(b.work, fmt.Sprintf("list-%d%s", n, l.ext))
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	f, err := os.Create(name + ".part")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var w io.Writer = f
	var z *gzip.Writer
	if kind == "csv" {
		z = gzip.NewWriter(f)
		w = z
	}
	buf := bufio.NewWriter(w)
	for i := range n {
		fmt.Fprintf(buf, l.row, i)
	}
	err = buf.Flush()
	if z != nil {
		err = errors.Join(err, z.Close())
	}
	if err != nil {
		return "", err
	}
	return name, os.Rename(name+".part", name)
}
