package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Region is a store that the server knows, with what bounds the calls to it.
type Region struct {
	Name    string `json:"name"`
	Default bool   `json:"default,omitempty"` // of jobs that name none
	// Limits are on the calls of all jobs and workers together, or those of the configuration, which are each process's;
	// nil = none.
	Limits     *Limits    `json:"limits,omitempty"`
	Configured *Limits    `json:"configured,omitempty"` // those of the answering process's configuration, also where others are in force
	FromConfig bool       `json:"fromConfig,omitempty"` // the limits are those of the answering process's configuration
	Changed    *time.Time `json:"changed,omitempty"`    // when the limits were last set or cleared; nil where they never were
	By         string     `json:"by,omitempty"`         // the access key of who has set them
	Revision   string     `json:"revision"`             // of the limits, for If; it changes whenever they are set or cleared
}

// Regions is the answer to a listing of regions.
type Regions struct {
	Regions []Region `json:"regions"`
}

// Regions lists the server's regions with their limits.
func (c *Client) Regions(ctx context.Context) ([]Region, error) {
	answer, err := call[Regions](ctx, c, http.MethodGet, "/regions", nil, nil)
	return answer.Regions, err
}

// SetRegionLimits puts limits on all calls to a region, at once and for all workers together, in the place of those of the
// configuration; limits that bound nothing too.
func (c *Client) SetRegionLimits(ctx context.Context, name string, l Limits) (Region, error) {
	return call[Region](ctx, c, http.MethodPut, regionPath(name), nil, l)
}

// ClearRegionLimits puts the configuration's limits of a region in force again.
func (c *Client) ClearRegionLimits(ctx context.Context, name string) (Region, error) {
	return call[Region](ctx, c, http.MethodDelete, regionPath(name), nil, nil)
}

func regionPath(name string) string { return "/regions/" + url.PathEscape(name) + "/limits" }
