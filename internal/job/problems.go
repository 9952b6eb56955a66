package job

import (
	"errors"
	"strings"
)

// Problems collects what is wrong with a value, so that its caller hears of all of it at once. The zero value is ready
// for use; it is owned by one goroutine.
type Problems []*Error

// Addf adds a problem with a field, as FieldErrorf makes it.
func (p *Problems) Addf(field, format string, args ...any) {
	p.Add(FieldErrorf(field, format, args...))
}

// Add adds an error, or each part of one that holds several. An error that is no *Error is kept as the cause of an
// Internal one; nil adds nothing.
func (p *Problems) Add(err error) {
	if err == nil {
		return
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		*p = append(*p, &Error{Code: Internal, Message: "The request could not be checked; try again later.", Err: err})
	case len(e.All) > 0:
		*p = append(*p, e.All...)
	default:
		*p = append(*p, e)
	}
}

// addIn adds err as a problem of field, unless it is nil.
func (p *Problems) addIn(field string, err error) {
	if err != nil {
		p.Addf(field, "%s", MessageOf(err))
	}
}

// Err gives nil when nothing was added, the problem itself when there is one, and else one *Error with the first
// one's code and field, all their sentences, and each of them in All.
func (p Problems) Err() error {
	switch len(p) {
	case 0:
		return nil
	case 1:
		return p[0]
	}
	sentences := make([]string, len(p))
	for i, e := range p {
		sentences[i] = e.Message
	}
	return &Error{Code: p[0].Code, Field: p[0].Field, Message: strings.Join(sentences, " "), Err: p[0].Err, All: p}
}
