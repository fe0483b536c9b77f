package scan

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"io"
)

// source is the reader of an image file: it asks the context, bounds the length
// and remembers what went wrong, so that an error of the disk is not taken for
// one of the image.
type source struct {
	ctx  context.Context
	r    io.Reader
	left int64
	max  int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	if s.left <= 0 {
		s.err = &SizeError{MaxBytes: s.max}
		return 0, s.err
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// decode reads an image whose header is acceptable. Only these two decoders are
// used, whatever others a program has registered.
func decode(ctx context.Context, r io.Reader, opt *Options) (image.Image, error) {
	most := opt.maxBytes()
	src := &source{ctx: ctx, r: r, left: most, max: most}
	var head bytes.Buffer
	begin := make([]byte, 8)
	n, err := io.ReadFull(src, begin)
	if src.err != nil {
		return nil, src.err
	}
	head.Write(begin[:n])
	config, whole := jpeg.DecodeConfig, jpeg.Decode
	switch {
	case err == nil && string(begin) == "\x89PNG\r\n\x1a\n":
		config, whole = png.DecodeConfig, png.Decode
	case n < 2 || begin[0] != 0xff || begin[1] != 0xd8:
		return nil, &FormatError{Reason: "neither PNG nor JPEG"}
	}
	c, err := config(io.TeeReader(io.MultiReader(bytes.NewReader(begin[:n]), src), &tail{&head, n}))
	if err != nil {
		return nil, src.blame(err)
	}
	if err := checkSize(c.Width, c.Height, opt.maxPixels()); err != nil {
		return nil, err
	}
	img, err := whole(io.MultiReader(bytes.NewReader(head.Bytes()), src))
	if err != nil {
		return nil, src.blame(err)
	}
	return img, nil
}

// tail writes all but the first bytes, which are there already.
type tail struct {
	b    *bytes.Buffer
	skip int
}

func (t *tail) Write(p []byte) (int, error) {
	n := min(t.skip, len(p))
	t.skip -= n
	t.b.Write(p[n:])
	return len(p), nil
}

// blame gives the error of the reader, or else of the image.
func (s *source) blame(err error) error {
	if s.err != nil {
		return s.err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &FormatError{Reason: "the image is cut off", Err: err}
	}
	return &FormatError{Reason: "the image cannot be decoded", Err: err}
}
