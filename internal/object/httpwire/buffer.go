package httpwire

import "sync"

// buffer is memory for an answer. Connections that wait for one have none: with hundreds of them, what each call touches would
// no longer be in the processor's caches when the next one does.
type buffer [bufferSize]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

// free gives the memory to the next answer. Nobody may use what was in it.
func (b *buffer) free() { buffers.Put(b) }
