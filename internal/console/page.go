package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets templates
var files embed.FS

// assets are the files of assets/ with their hash, which stands in their path: they never change under it.
var assets = func() map[string]asset {
	all := map[string]asset{}
	names, err := fs.Glob(files, "assets/*")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(b)
		all[path.Base(name)] = asset{content: b, hash: hex.EncodeToString(sum[:6])}
	}
	return all
}()

type asset struct {
	content []byte
	hash    string
}

func assetURL(name string) string { return base + "/assets/" + assets[name].hash + "/" + name }

func serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[r.PathValue("name")]
	if !ok || a.hash != r.PathValue("hash") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, r.PathValue("name"), time.Time{}, bytes.NewReader(a.content))
}

// parsePages parses each page with the layout and the parts, once a language.
func parsePages() (map[language]map[string]*template.Template, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := map[language]map[string]*template.Template{}
	for _, l := range languages {
		all[l] = map[string]*template.Template{}
		shared := template.New("").Option("missingkey=error").Funcs(template.FuncMap{
			"t": l.t, "asset": assetURL, "icon": icon, "base": func() string { return base },
		})
		if shared, err = shared.ParseFS(files, "templates/layout.html", "templates/part/*.html"); err != nil {
			return nil, fmt.Errorf("parse the layout: %w", err)
		}
		for _, name := range names {
			if path.Base(name) == "layout.html" {
				continue
			}
			page, err := shared.Clone()
			if err == nil {
				page, err = page.ParseFS(files, name)
			}
			if err != nil {
				return nil, fmt.Errorf("parse %s: %w", name, err)
			}
			all[l][strings.TrimSuffix(path.Base(name), ".html")] = page
		}
	}
	return all, nil
}

// icon draws one of icons.svg; the word beside it says what it means.
func icon(name string) template.HTML {
	return template.HTML(`<svg class="icon" aria-hidden="true"><use href="` + template.HTMLEscapeString(assetURL("icons.svg")+"#"+name) + `"></use></svg>`)
}

// frame is what every page has around it.
type frame struct {
	Title     string
	Lang      string
	Theme     string // "" = as the browser likes
	Here      string // this page, to come back to
	SignedIn  bool
	Principal string
	Account   string
	Region    string
	Menu      []link
	Crumbs    []link // above this page
	Flash     string
	CLI       string // what shows the same on the command line; "" = nothing
	Version   string
	Refresh   int // seconds after which a browser without script loads the page again; 0 = never
}

type link struct {
	Text, URL, Icon string
	Current         bool
}

// The items of the menu, by their path below base.
const (
	menuOverview = "/"
	menuJobs     = "/jobs"
	menuWorkers  = "/workers"
	menuStorage  = "/storage"
	menuAccess   = "/access"
)

// frame makes the frame of a page; current is its item of the menu.
func (s *server) frame(c *call, title, current string) frame {
	f := frame{
		Title: title, Lang: string(c.lang), Here: local(c.URL.RequestURI(), base+"/"), SignedIn: c.signedIn,
		Principal: c.caller.Principal, Account: c.caller.Account.UIN, Region: string(s.o.Default), Version: s.o.Version,
	}
	if c.Method != http.MethodGet {
		f.Here = base + current
		if current == "" {
			f.Here = base + "/"
		}
	}
	if cookie, err := c.Cookie(themeCookie); err == nil && (cookie.Value == "light" || cookie.Value == "dark") {
		f.Theme = cookie.Value
	}
	f.Flash = flash(c)
	if !c.signedIn {
		return f
	}
	for _, item := range []link{
		{c.lang.t("Overview"), menuOverview, "gauge", false},
		{c.lang.t("Batch Operation"), menuJobs, "layers", false},
		{c.lang.t("Workers"), menuWorkers, "cpu", false},
		{c.lang.t("Storage"), menuStorage, "database", false},
		{c.lang.t("Access"), menuAccess, "key", false},
	} {
		if item.URL == menuWorkers && s.o.Living == nil || item.URL == menuAccess && s.o.Access == nil {
			continue
		}
		item.Current = item.URL == current
		item.URL = base + item.URL
		f.Menu = append(f.Menu, item)
	}
	return f
}

// flash says what the action that led to this page did. The URL has a word for it: nothing of it is text from outside.
func flash(c *call) string {
	done := map[string]string{
		"created":   c.lang.t("The job was created."),
		"confirm":   c.lang.t("The job was confirmed and will run."),
		"cancel":    c.lang.t("The job is being cancelled."),
		"pause":     c.lang.t("The job is being paused."),
		"resume":    c.lang.t("The job goes on."),
		"priority":  c.lang.t("The priority was changed."),
		"limits":    c.lang.t("The limits were changed."),
		"delete":    c.lang.t("The job's record was deleted."),
		"duplicate": c.lang.t("This form had created the job before: here it is."),

		"role":               c.lang.t("The role was created."),
		"role-deleted":       c.lang.t("The role was deleted."),
		"principal-disabled": c.lang.t("The principal is disabled."),
		"principal-enabled":  c.lang.t("The principal is enabled."),
		"region-limits":      c.lang.t("The limits of the region were changed."),
		"region-cleared":     c.lang.t("The limits of the configuration hold again."),
		"probe":              c.lang.t("The store was tried: see below."),
	}
	return done[c.URL.Query().Get("done")]
}

// render writes a page. Its data was made by us: that it does not render is our mistake.
func (s *server) render(c *call, status int, page string, data any) {
	s.renderBlock(c, status, page, "layout", data)
}

// renderBlock writes one block of a page.
func (s *server) renderBlock(c *call, status int, page, block string, data any) {
	var b bytes.Buffer
	if err := s.pages[c.lang][page].ExecuteTemplate(&b, block, data); err != nil {
		s.o.Logger.LogAttrs(c.Context(), slog.LevelError, "page does not render",
			slog.String("requestID", c.requestID), slog.String("page", page), slog.Any("err", err))
		http.Error(c.w, "Internal error, request id "+c.requestID, http.StatusInternalServerError)
		return
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", string(c.lang))
	h.Add("Vary", "Accept-Language, Cookie, HX-Request")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b.Bytes()) // the reader has gone: nobody is left to be told
}
