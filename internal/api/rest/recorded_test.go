package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// witness holds every answer that the tests of this package see to openapi.yaml, by an independent implementation of
// OpenAPI 3.1 and JSON Schema. Safe for concurrent use.
type witness struct {
	doc    *openapi3.T
	router routers.Router

	mu       sync.Mutex
	good     map[string]bool // method and path of calls that were answered well
	problems []string
}

var watched = newWitness()

func newWitness() *witness {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(openAPI)
	if err != nil {
		panic(err)
	}
	doc.Servers = nil // the tests' servers listen anywhere
	router, err := legacy.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	return &witness{doc: doc, router: router, good: map[string]bool{}}
}

func (v *witness) report(r *http.Request, status int, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.problems = append(v.problems, fmt.Sprintf("%s %s, %d: %v", r.Method, r.URL.Path, status, err))
}

// missing lists the answers that are not as described, and, when all tests ran, the calls that none had a good answer to.
func (v *witness) missing(all bool) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := v.problems
	if !all {
		return out
	}
	for path, item := range v.doc.Paths.Map() {
		for method := range item.Operations() {
			if !v.good[method+" "+path] {
				out = append(out, method+" "+path+": no test sees a good answer")
			}
		}
	}
	return out
}

// watch stands before a handler.
func (v *witness) watch(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, params, err := v.router.FindRoute(r)
		if err == nil && strings.HasSuffix(route.Path, "/events") {
			s := &streamed{ResponseWriter: w}
			h.ServeHTTP(s, r)
			if e := v.stream(s, r.Method+" "+route.Path); e != nil {
				v.report(r, s.status, e)
			}
			return
		}
		body, readErr := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		if readErr == nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
			if e := v.validate(r, answer, route, params, err); e != nil {
				v.report(r, answer.Code, e)
			}
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

func (v *witness) validate(r *http.Request, answer *httptest.ResponseRecorder, route *routers.Route, params map[string]string, noRoute error) error {
	if r.Method == http.MethodHead {
		return nil
	}
	if noRoute != nil {
		if answer.Code < 400 {
			return fmt.Errorf("it is not described: %w", noRoute)
		}
		return v.value("Error", answer.Body.Bytes())
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	}
	if answer.Code < 300 {
		// What is answered well must have been asked as described.
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			return fmt.Errorf("request: %w", err)
		}
		v.mu.Lock()
		v.good[route.Method+" "+route.Path] = true
		v.mu.Unlock()
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: answer.Code, Header: answer.Header(), Options: input.Options,
		Body: io.NopCloser(bytes.NewReader(answer.Body.Bytes())),
	})
}

// value holds JSON to a schema of the document.
func (v *witness) value(schema string, text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	return v.doc.Components.Schemas[schema].Value.VisitJSON(value, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors())
}

// stream holds the events of a stream to the document, after its end: they must not wait.
func (v *witness) stream(s *streamed, call string) error {
	schemas := map[string]string{"event: job": "Job", "event: error": "Error"}
	for _, piece := range s.pieces {
		name, data, isEvent := strings.Cut(piece, "\ndata: ")
		switch {
		case s.status >= 400:
			return v.value("Error", []byte(piece))
		case strings.HasPrefix(name, ":"):
			continue
		case !isEvent || schemas[name] == "":
			return fmt.Errorf("%.40q is no event", piece)
		}
		if err := v.value(schemas[name], []byte(data)); err != nil {
			return err
		}
		v.mu.Lock()
		v.good[call] = true
		v.mu.Unlock()
	}
	return nil
}

// streamed keeps the pieces of a stream as it passes; the API writes each event at once.
type streamed struct {
	http.ResponseWriter
	status int
	pieces []string
}

func (s *streamed) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *streamed) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *streamed) Write(b []byte) (int, error) {
	s.pieces = append(s.pieces, string(b))
	return s.ResponseWriter.Write(b)
}
