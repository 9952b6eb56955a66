package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// NewRole is a role to be made.
type NewRole struct {
	Name        string `json:"name"`                  // 1–64 letters, digits and + = , . @ _ -
	Description string `json:"description,omitempty"` // at most 256 bytes
	// Credentials are where the role's keys are from, by region; "*" stands for all others.
	Credentials map[string]Credential `json:"credentials"`
	// Policy is what the role may do, in the grammar of CAM or of IAM.
	Policy json.RawMessage `json:"policy"`
}

// Role is a role that jobs can run as. Its secrets are never answered.
type Role struct {
	Name        string                `json:"name"`
	ARN         string                `json:"arn"`    // as CAM names it
	IAMARN      string                `json:"iamArn"` // as IAM does
	FromConfig  bool                  `json:"fromConfig,omitempty"`
	Created     *time.Time            `json:"created,omitempty"` // nil for one of the configuration
	Description string                `json:"description,omitempty"`
	Credentials map[string]Credential `json:"credentials"`
	Policy      json.RawMessage       `json:"policy"`
}

// Credential says where a role's keys are from: a role of the server's configuration (From), or given here.
type Credential struct {
	From         string `json:"from,omitempty"`
	AccessKey    string `json:"accessKey,omitempty"`
	SecretKey    string `json:"secretKey,omitempty"`    // in requests only
	SessionToken string `json:"sessionToken,omitempty"` // in requests only
}

// NewPrincipal is a principal to be made, of the caller's account.
type NewPrincipal struct {
	Description string          `json:"description,omitempty"` // at most 256 bytes
	Policy      json.RawMessage `json:"policy"`
}

// Principal is who may call. SecretKey stands only in the answers to CreatePrincipal and RotatePrincipal.
type Principal struct {
	AccessKey   string          `json:"accessKey"`
	SecretKey   string          `json:"secretKey,omitempty"`
	UIN         string          `json:"uin"`
	AppID       string          `json:"appid,omitempty"`
	Description string          `json:"description,omitempty"`
	Disabled    bool            `json:"disabled,omitempty"`
	FromConfig  bool            `json:"fromConfig,omitempty"`
	Created     *time.Time      `json:"created,omitempty"` // nil for one of the configuration
	Policy      json.RawMessage `json:"policy"`
}

// Roles is the answer to a listing of roles.
type Roles struct {
	Roles []Role `json:"roles"`
}

// Principals is the answer to a listing of principals.
type Principals struct {
	Principals []Principal `json:"principals"`
}

// LeastPolicy asks for the smallest policy with which a role can do a job. Of the spec, region, manifest, operation and
// report count.
type LeastPolicy struct {
	Spec          Spec     `json:"spec"`
	SourceBuckets []string `json:"sourceBuckets,omitempty"` // those that the manifest names; empty = any of the region
}

// Policy is a policy, in CAM's grammar.
type Policy struct {
	Policy json.RawMessage `json:"policy"`
}

// Roles lists the account's roles.
func (c *Client) Roles(ctx context.Context) ([]Role, error) {
	answer, err := call[Roles](ctx, c, http.MethodGet, "/roles", nil, nil)
	return answer.Roles, err
}

// Role gives one role of the account.
func (c *Client) Role(ctx context.Context, name string) (Role, error) {
	return call[Role](ctx, c, http.MethodGet, "/roles/"+url.PathEscape(name), nil, nil)
}

// CreateRole makes a role.
func (c *Client) CreateRole(ctx context.Context, r NewRole) (Role, error) {
	return call[Role](ctx, c, http.MethodPost, "/roles", nil, r)
}

// DeleteRole deletes a role; its jobs' further calls are refused.
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	_, err := c.do(ctx, http.MethodDelete, "/roles/"+url.PathEscape(name), nil, nil)
	return err
}

// LeastPolicy gives the smallest policy with which a role can do a job.
func (c *Client) LeastPolicy(ctx context.Context, l LeastPolicy) (json.RawMessage, error) {
	answer, err := call[Policy](ctx, c, http.MethodPost, "/policies/least", nil, l)
	return answer.Policy, err
}

// Principals lists the account's principals.
func (c *Client) Principals(ctx context.Context) ([]Principal, error) {
	answer, err := call[Principals](ctx, c, http.MethodGet, "/principals", nil, nil)
	return answer.Principals, err
}

// CreatePrincipal makes a principal; the answer alone has its secret.
func (c *Client) CreatePrincipal(ctx context.Context, p NewPrincipal) (Principal, error) {
	return call[Principal](ctx, c, http.MethodPost, "/principals", nil, p)
}

// DisablePrincipal makes a principal's signatures void.
func (c *Client) DisablePrincipal(ctx context.Context, accessKey string) (Principal, error) {
	return call[Principal](ctx, c, http.MethodPost, principalPath(accessKey, "disable"), nil, nil)
}

// EnablePrincipal makes a principal's signatures good again.
func (c *Client) EnablePrincipal(ctx context.Context, accessKey string) (Principal, error) {
	return call[Principal](ctx, c, http.MethodPost, principalPath(accessKey, "enable"), nil, nil)
}

// RotatePrincipal gives a principal a new secret, which the answer alone has; the old one is void at once.
func (c *Client) RotatePrincipal(ctx context.Context, accessKey string) (Principal, error) {
	return call[Principal](ctx, c, http.MethodPost, principalPath(accessKey, "rotate"), nil, nil)
}

func principalPath(accessKey, verb string) string {
	return "/principals/" + url.PathEscape(accessKey) + "/" + verb
}
