package pdf

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
)

// applyFilter decodes data with one filter, which writes to out.
func (f *File) applyFilter(name Name, parms Dict, data []byte, out *sink) ([]byte, error) {
	at := out.at
	var err error
	switch name {
	case "FlateDecode":
		if err = f.inflate.decode(out, data); err == nil {
			return f.predict(parms, out.b, at)
		}
	case "LZWDecode":
		early := int64(1)
		if o, ok := parms["EarlyChange"]; ok {
			if early, err = f.Int(o); err != nil {
				return nil, err
			}
		}
		if err = decodeLZW(out, data, early != 0); err == nil {
			return f.predict(parms, out.b, at)
		}
	case "ASCIIHexDecode":
		err = decodeHex(out, data)
	case "ASCII85Decode":
		err = decode85(out, data)
	case "RunLengthDecode":
		err = decodeRunLength(out, data)
	case "Crypt":
		crypt, err := f.Name(parms["Name"])
		if err != nil {
			return nil, err
		}
		if crypt != "" && crypt != "Identity" {
			return nil, &UnsupportedError{Feature: "crypt filter " + string(crypt[:min(len(crypt), 64)])}
		}
		return data, nil
	default:
		return nil, &UnsupportedError{Feature: "filter " + string(name[:min(len(name), 64)])}
	}
	if errors.Is(err, errFilter) {
		err = malformed(at, "bad data of %s", name)
	}
	return out.b, err
}

// errFilter is the mark of bad data between this file's functions.
var errFilter = errors.New("bad data")

// sink collects decoded data up to a limit.
type sink struct {
	b   []byte
	max int64
	at  int64
}

func (s *sink) full() error {
	return &LimitError{Limit: "StreamBytes", Max: s.max, Offset: s.at}
}

func (s *sink) write(p ...byte) error {
	if int64(len(s.b)+len(p)) > s.max {
		return s.full()
	}
	s.b = append(s.b, p...)
	return nil
}

// inflater is a Flate decoder that is used again and again.
type inflater struct {
	in bytes.Reader
	r  io.ReadCloser
}

// decode decompresses zlib data (ISO 32000-2, 7.4.4). The checksum after the
// data is not checked, since no reader does.
func (z *inflater) decode(out *sink, data []byte) error {
	if len(data) < 2 || data[0]&0x0f != 8 || data[1]&0x20 != 0 || (int(data[0])<<8|int(data[1]))%31 != 0 {
		return errFilter
	}
	z.in.Reset(data[2:])
	if z.r == nil {
		z.r = flate.NewReader(&z.in)
	} else if err := z.r.(flate.Resetter).Reset(&z.in, nil); err != nil {
		return errFilter
	}
	out.b = make([]byte, 0, min(max(4*int64(len(data)), 512), out.max+1))
	for {
		if len(out.b) == cap(out.b) {
			grown := make([]byte, len(out.b), min(2*int64(cap(out.b)), out.max+1))
			copy(grown, out.b)
			out.b = grown
		}
		n, err := z.r.Read(out.b[len(out.b):cap(out.b)])
		out.b = out.b[:len(out.b)+n]
		if int64(len(out.b)) > out.max {
			return out.full()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return errFilter
		}
	}
}

// decodeHex decodes ASCIIHexDecode (ISO 32000-2, 7.4.2).
func decodeHex(out *sink, data []byte) error {
	high := -1
	for _, c := range data {
		if isWhite(int(c)) {
			continue
		}
		if c == '>' {
			break
		}
		v := hexValue(c)
		if v < 0 {
			return errFilter
		}
		if high < 0 {
			high = v
			continue
		}
		if err := out.write(byte(high<<4 | v)); err != nil {
			return err
		}
		high = -1
	}
	if high >= 0 {
		return out.write(byte(high << 4))
	}
	return nil
}

// decode85 decodes ASCII85Decode (ISO 32000-2, 7.4.3).
func decode85(out *sink, data []byte) error {
	var group uint64
	n := 0
	for _, c := range data {
		if isWhite(int(c)) {
			continue
		}
		if c == '~' {
			break
		}
		if c == 'z' && n == 0 {
			if err := out.write(0, 0, 0, 0); err != nil {
				return err
			}
			continue
		}
		if c < '!' || c > 'u' {
			return errFilter
		}
		group = group*85 + uint64(c-'!')
		if n++; n < 5 {
			continue
		}
		if group > 1<<32-1 {
			return errFilter
		}
		if err := out.write(byte(group>>24), byte(group>>16), byte(group>>8), byte(group)); err != nil {
			return err
		}
		group, n = 0, 0
	}
	return last85(out, group, n)
}

// last85 writes the last, partial group of n digits.
func last85(out *sink, group uint64, n int) error {
	if n == 0 {
		return nil
	}
	for range 5 - n {
		group = group*85 + 84
	}
	if n == 1 || group > 1<<32-1 {
		return errFilter
	}
	b := []byte{byte(group >> 24), byte(group >> 16), byte(group >> 8)}
	return out.write(b[:n-1]...)
}

// decodeRunLength decodes RunLengthDecode (ISO 32000-2, 7.4.5).
func decodeRunLength(out *sink, data []byte) error {
	for i := 0; i < len(data); {
		n := int(data[i])
		i++
		switch {
		case n == 128:
			return nil
		case n < 128:
			if i+n+1 > len(data) {
				return errFilter
			}
			if err := out.write(data[i : i+n+1]...); err != nil {
				return err
			}
			i += n + 1
		default:
			if i >= len(data) {
				return errFilter
			}
			if err := out.write(bytes.Repeat(data[i:i+1], 257-n)...); err != nil {
				return err
			}
			i++
		}
	}
	return nil
}
