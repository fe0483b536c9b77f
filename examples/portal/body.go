package main

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// A pacedBody is an upload on its way. One that comes too slowly is given up, so
// that nobody holds the places of others with a byte now and then.
type pacedBody struct {
	io.ReadCloser
	begun  time.Time
	bytes  int64
	extend func(time.Time) error // sets the deadline of reading
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	least := uploadGrace + time.Duration(b.bytes)*time.Second/uploadRate
	if err := b.extend(b.begun.Add(min(least, uploadTime))); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	b.bytes += int64(n)
	if errors.Is(err, io.EOF) {
		// The server goes on reading, to learn whether the browser leaves.
		_ = b.extend(b.begun.Add(uploadTime + requestTime))
	}
	return n, err
}

// A headBody gives a reader of forms little while it looks for a part.
type headBody struct {
	io.ReadCloser
	inHead bool
	left   int // bytes of the head that may still come
}

// Read implements io.Reader.
func (b *headBody) Read(p []byte) (int, error) {
	if !b.inHead {
		return b.ReadCloser.Read(p)
	}
	if b.left == 0 {
		return 0, errForm
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
