package carrier

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// isToken reports whether s can be one part of a subject. Job ids and attempts are of A–Z a–z 0–9 - _; nothing else is
// let through, so that no name can reach another job's subjects.
func isToken(s string) bool {
	for _, r := range s {
		if !isWord(r) {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// checkKey holds record keys to what JetStream's key-value stores allow (NATS ADR-8).
func checkKey(key string) error {
	for _, r := range key {
		if !isWord(r) && !strings.ContainsRune("./=", r) {
			return fmt.Errorf("record key %q: only letters, digits and -_./= are allowed", key)
		}
	}
	if key == "" || len(key) > 512 || key[0] == '.' || key[len(key)-1] == '.' || strings.Contains(key, "..") {
		return fmt.Errorf("record key %q: must be 1–512 bytes without an empty part", key)
	}
	return nil
}

func checkID(id job.ID) error {
	if !isToken(string(id)) {
		return fmt.Errorf("job id %q: only letters, digits, - and _ are allowed", id)
	}
	return nil
}

func workSubject(id job.ID, phase int, chunk int64) (string, error) {
	if phase < 0 || chunk < 0 {
		return "", fmt.Errorf("chunk %d of phase %d: must not be negative", chunk, phase)
	}
	return fmt.Sprintf("work.%s.%d.%d", id, phase, chunk), checkID(id)
}

// parseWork takes the phase and the chunk from a subject.
func parseWork(subject string) (phase int, chunk int64, err error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 4 {
		return 0, 0, fmt.Errorf("subject %q: not a chunk's", subject)
	}
	phase, err = strconv.Atoi(parts[2])
	if err == nil {
		chunk, err = strconv.ParseInt(parts[3], 10, 64)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("subject %q: not a chunk's: %w", subject, err)
	}
	return phase, chunk, nil
}

func resultSubject(n engine.ResultName) (string, error) {
	if !isToken(n.Attempt) {
		return "", fmt.Errorf("attempt %q: only letters, digits, - and _ are allowed", n.Attempt)
	}
	if n.Phase < 0 || n.Chunk < 0 || n.Part < 0 {
		return "", fmt.Errorf("result of chunk %d, phase %d, part %d: must not be negative", n.Chunk, n.Phase, n.Part)
	}
	return fmt.Sprintf("res.%s.%d.%d.%s.%d", n.Job, n.Phase, n.Chunk, n.Attempt, n.Part), checkID(n.Job)
}

func parseResult(subject string) (engine.ResultName, error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 6 {
		return engine.ResultName{}, fmt.Errorf("subject %q: not a result's", subject)
	}
	n := engine.ResultName{Job: job.ID(parts[1]), Attempt: parts[4]}
	var err error
	if n.Phase, err = strconv.Atoi(parts[2]); err == nil {
		if n.Chunk, err = strconv.ParseInt(parts[3], 10, 64); err == nil {
			n.Part, err = strconv.Atoi(parts[5])
		}
	}
	if err != nil {
		return engine.ResultName{}, fmt.Errorf("subject %q: not a result's: %w", subject, err)
	}
	return n, nil
}
