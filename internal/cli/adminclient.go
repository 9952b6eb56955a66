package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api/admin"
)

// adminClient calls a server's roles and principals.
type adminClient struct {
	url            string
	access, secret string
	http           *http.Client
}

func (f *serverFlags) admin(sh *shell) (*adminClient, error) {
	url, access, secret, err := f.keys(sh)
	if err != nil {
		return nil, err
	}
	return &adminClient{strings.TrimSuffix(url, "/"), access, secret, &http.Client{Timeout: time.Minute}}, nil
}

// ask sends a signed request and decodes its answer into out, nil for none.
func (c *adminClient) ask(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		return &problem{code: exitUsage, err: err}
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(s *v4.SignerOptions) { s.DisableURIPathEscaping = true })
	keys := aws.Credentials{AccessKeyID: c.access, SecretAccessKey: c.secret}
	if err := signer.SignHTTP(ctx, keys, r, hash, "s3", "us-east-1", time.Now()); err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return withHint(err, "is a server running at "+c.url+"? --server or DROVER_SERVER names another")
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return refused(resp, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// refused is the server's error as the command's.
func refused(resp *http.Response, body []byte) error {
	var p admin.Problem
	if json.Unmarshal(body, &p) != nil || p.Message == "" {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	err := fmt.Errorf("%s (%s, request %s)", p.Message, p.Code, p.RequestID)
	if resp.StatusCode == http.StatusUnauthorized {
		return withHint(err, "DROVER_ACCESS_KEY and DROVER_SECRET_KEY are the keys that requests are signed with")
	}
	return err
}

// readPolicy reads --policy: full-access, or a file with the policy's JSON.
func readPolicy(name string) (json.RawMessage, error) {
	if name == "full-access" {
		return json.RawMessage(access.FullAccess().String()), nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p, err := access.ParsePolicy(b)
	if err != nil {
		return nil, &problem{code: exitUsage, err: fmt.Errorf("%s: %w", name, err)}
	}
	return json.RawMessage(p.String()), nil
}
