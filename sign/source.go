package sign

import (
	"context"
	"fmt"
	"hash"
	"io"
	"sync"
)

// copyBuffer is a compromise: large enough that system calls do not count,
// small enough for the second-level cache.
const copyBuffer = 128 << 10

// buffers saves the garbage collector a buffer for every document.
var buffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// updateRoom holds the update of a visible stamp with a usual certificate chain.
const updateRoom = 64 << 10

// updates does the same for updates that are written at once.
var updates = sync.Pool{New: func() any { return new([updateRoom]byte) }}

// copySource passes the whole source through the hashes and to w, in one pass.
func copySource(ctx context.Context, w io.Writer, r io.ReaderAt, size int64, hashes ...hash.Hash) error {
	room := buffers.Get().(*[copyBuffer]byte)
	defer buffers.Put(room)
	buf := room[:]
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(size-off, int64(len(buf)))]
		n, err := r.ReadAt(b, off)
		if n < len(b) {
			return readError(off+int64(n), err)
		}
		for _, h := range hashes {
			h.Write(b)
		}
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("sign: copying the source: %w", err)
		}
		off += int64(n)
	}
	return nil
}

func readError(off int64, err error) error {
	switch err {
	case nil:
		err = io.ErrNoProgress
	case io.EOF, io.ErrUnexpectedEOF:
		err = fmt.Errorf("%w: it ends at byte %d", ErrChanged, off)
	}
	return fmt.Errorf("sign: reading the source at byte %d: %w", off, err)
}
