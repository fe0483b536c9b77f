package verify

import "io"

// source is the caller's reader as one call uses it. It remembers the first
// failure, so that trouble with reading is never mistaken for a bad document,
// and stops all reading once the context has ended.
type source struct {
	r    io.ReaderAt
	size int64
	stop func() error // the context's Err
	err  error
}

// ReadAt implements io.ReaderAt for one goroutine at a time.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if s.err == nil {
		s.err = s.stop()
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.ReadAt(p, off)
	if n < 0 || n > len(p) {
		n, err = 0, io.ErrNoProgress
	}
	if n == len(p) {
		return n, nil
	}
	switch {
	case err == nil:
		err = io.ErrNoProgress
	case err == io.EOF && off+int64(len(p)) <= s.size:
		err = io.ErrUnexpectedEOF // the file is shorter than the caller said
	case err == io.EOF:
		return n, err
	}
	s.err = err
	return n, err
}
