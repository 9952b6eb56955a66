package engine

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/drover-batch/drover/internal/job"
)

const spoolBuffer = 64 << 10

// spool holds the rows of the open segment in two files outside of memory: succeeded and failed. It is scratch: after
// a crash the same bytes are made again from the stored results.
type spool struct {
	dir   string
	parts map[job.TaskStatus]*spoolPart
}

type spoolPart struct {
	file *os.File
	buf  []byte // not in the file yet
	sum  hash.Hash
	rows int64
	size int64
}

func newSpool(dir string) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool folder: %w", err)
	}
	return &spool{dir: dir, parts: map[job.TaskStatus]*spoolPart{}}, nil
}

// add appends one line.
func (s *spool) add(st job.TaskStatus, line []byte) error {
	p := s.parts[st]
	if p == nil {
		f, err := os.Create(filepath.Join(s.dir, string(st)+".csv"))
		if err != nil {
			return fmt.Errorf("make spool file: %w", err)
		}
		p = &spoolPart{file: f, buf: make([]byte, 0, spoolBuffer), sum: md5.New()}
		s.parts[st] = p
	}
	if len(p.buf)+len(line) > spoolBuffer {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.rows++
	p.size += int64(len(line))
	_, _ = p.sum.Write(line)
	p.buf = append(p.buf, line...)
	return nil
}

// flush writes what is buffered. After an error the rest is kept, to be written once the disk has room.
func (p *spoolPart) flush() error {
	n, err := p.file.Write(p.buf)
	p.buf = p.buf[:copy(p.buf, p.buf[n:])]
	if err != nil {
		return fmt.Errorf("write spool file: %w", err)
	}
	return nil
}

// size is how many bytes wait in it.
func (s *spool) size() int64 {
	var n int64
	for _, p := range s.parts {
		n += p.size
	}
	return n
}

// body gives what was written of one status, from its start.
func (p *spoolPart) body() (io.ReadSeeker, string, error) {
	if err := p.flush(); err != nil {
		return nil, "", err
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return nil, "", fmt.Errorf("rewind spool file: %w", err)
	}
	return p.file, hex.EncodeToString(p.sum.Sum(nil)), nil
}

// reset empties the spool.
func (s *spool) reset() error {
	for st, p := range s.parts {
		name := p.file.Name()
		if err := p.file.Close(); err != nil {
			return fmt.Errorf("close spool file: %w", err)
		}
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("remove spool file: %w", err)
		}
		delete(s.parts, st)
	}
	return nil
}

// close frees the files and the folder; errors are of no consequence, it is scratch.
func (s *spool) close() {
	_ = s.reset()
	_ = os.RemoveAll(s.dir)
}
