package pdf

import (
	"errors"
	"fmt"
	"io"
)

const (
	windowSize  = 4096           // bytes read at once
	longObject  = 8 * windowSize // of an object that is longer, and twice as much at a time from there on
	windowCount = 4              // places of the file kept at the same time
)

// origin is what a File shares with those that At makes of it. Its address
// tells streams of one file from those of another.
type origin struct {
	decoded  int64  // bytes that filters have put out so far
	password string // of the options
	crypt    *crypt // whose passwords were tried last
	handlers int    // how many were tried
}

// source reads a file through a few small windows.
type source struct {
	r      io.ReaderAt
	size   int64
	origin *origin
	next   int // window to be given up next
	win    [windowCount]struct {
		off int64
		buf []byte
	}
}

// at returns the bytes from off on, as many as happen to be in a window, but
// at least min of them unless the file ends before; min is at most windowSize.
// The slice is valid until the next call.
func (s *source) at(off int64, min int) ([]byte, error) {
	if off < 0 || off >= s.size {
		return nil, nil
	}
	if left := s.size - off; int64(min) > left {
		min = int(left)
	}
	for i := range s.win {
		w := &s.win[i]
		if d := off - w.off; d >= 0 && d+int64(min) <= int64(len(w.buf)) {
			return w.buf[d:], nil
		}
	}
	w := &s.win[s.next]
	s.next = (s.next + 1) % windowCount
	n := windowSize
	if left := s.size - off; left < windowSize {
		n = int(left)
	}
	if w.buf == nil {
		w.buf = make([]byte, windowSize)
	}
	w.buf = w.buf[:n]
	if err := s.readFull(w.buf, off); err != nil {
		w.buf = w.buf[:0]
		return nil, err
	}
	w.off = off
	return w.buf, nil
}

// readFull fills b from off. A reader that gives less is an error, so that
// nothing waits for it.
func (s *source) readFull(b []byte, off int64) error {
	n, err := s.r.ReadAt(b, off)
	if n >= len(b) {
		return nil
	}
	switch {
	case err == nil:
		err = io.ErrNoProgress
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("pdf: reading at byte %d: %w", off+int64(max(n, 0)), err)
}
