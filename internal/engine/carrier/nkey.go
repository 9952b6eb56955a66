package carrier

import (
	"bytes"
	"fmt"

	"github.com/nats-io/nkeys"
)

// NewNKey makes a user's nkey: the seed goes into a file of its owner's, the public key into User.NKey.
func NewNKey() (seed []byte, public string, err error) {
	kp, err := nkeys.CreateUser()
	if err != nil {
		return nil, "", fmt.Errorf("make an nkey: %w", err)
	}
	defer kp.Wipe()
	if public, err = kp.PublicKey(); err != nil {
		return nil, "", fmt.Errorf("make an nkey: %w", err)
	}
	if seed, err = kp.Seed(); err != nil {
		return nil, "", fmt.Errorf("make an nkey: %w", err)
	}
	return bytes.Clone(seed), public, nil // the key pair's own is wiped
}
