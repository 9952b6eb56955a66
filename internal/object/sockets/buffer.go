package sockets

import "sync"

// Buffer is memory for an answer. Connections that wait for one have none: with hundreds of them, what each call touches would
// no longer be in the processor's caches when the next one does.
type Buffer [BufferSize]byte

// BufferSize is the length of a Buffer.
const BufferSize = 4 << 10

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

// NewBuffer lends memory, until Free.
func NewBuffer() *Buffer { return buffers.Get().(*Buffer) }

// Free gives the memory to the next answer. Nobody may use what was in it.
func (b *Buffer) Free() { buffers.Put(b) }
