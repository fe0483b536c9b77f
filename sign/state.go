package sign

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/serial"
)

// The file of a prepared document. Integers are big-endian, and there is one encoding
// of each document; whatever else is refused.
//
//	  0 16  "meterai prepared"
//	 16  1  version, 2
//	 17 32  SHA-256 of the signing certificate
//	 49 32  SHA-256 of the source
//	 81  8  bytes of the source
//	 89  8  claimed time, seconds since 1970-01-01 UTC
//	 97 14  serial number, packed; zeros without a stamp
//	111  4  page, from 1; 0 when invisible
//	115 32  rectangle on the page as people see it: four IEEE 754 numbers, points
//	147  4  offset of /Contents in the update
//	151  4  bytes of it with its brackets
//	155  4  bytes of it for a timestamp
//	159     name of the field, signed attributes, seal, text of the seal, update: each
//	        behind its length in four bytes
//	        SHA-256 over everything before
//
// Version 1 is the JSON of [Prepared], which is still read.
const (
	stateMagic   = "meterai prepared"
	stateVersion = 2
)

// MarshalBinary gives the file of a prepared document, which another process, or a
// later version of the library, reads with [ReadPrepared]. It holds no secret, and
// nothing of the source but its digest and length and what the update repeats of it.
// The digest at its end finds damage, and does not keep out somebody who can write the
// file: what was signed is bound by the signature alone, which Finish checks.
func (p *Prepared) MarshalBinary() ([]byte, error) {
	if err := p.storable(); err != nil {
		return nil, err
	}
	r := &p.Result
	b := make([]byte, 0, 512+len(p.Attributes)+len(r.SealText)+len(p.Update))
	b = append(b, stateMagic...)
	b = append(b, stateVersion)
	b = append(b, p.Certificate[:]...)
	b = append(b, r.SourceDigest[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.SourceLength))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.Unix()))
	number := r.Number.Packed()
	b = append(b, number[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Page))
	for _, f := range []float64{r.Rect.LLX, r.Rect.LLY, r.Rect.URX, r.Rect.URY} {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(f))
	}
	for _, n := range []int{p.Contents, p.Size, p.Room} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	for _, part := range [][]byte{[]byte(r.Field), p.Attributes, r.Seal, []byte(r.SealText), p.Update} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

// WriteTo writes what [Prepared.MarshalBinary] gives.
func (p *Prepared) WriteTo(w io.Writer) (int64, error) {
	b, err := p.MarshalBinary()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}

// ReadPrepared reads the file of a prepared document, of this version or an older one,
// to its end. What is no such file gives a *[PreparedError]. At most 64 MiB are read.
func ReadPrepared(r io.Reader) (*Prepared, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxState+1))
	if err != nil {
		return nil, err
	}
	p := new(Prepared)
	if err := p.UnmarshalBinary(b); err != nil {
		return nil, err
	}
	return p, nil
}

// UnmarshalBinary is [ReadPrepared] of bytes. Its error leaves p as it was.
func (p *Prepared) UnmarshalBinary(b []byte) error {
	var q *Prepared
	var err error
	switch {
	case len(b) > maxState:
		return &PreparedError{What: fmt.Sprintf("more than %d bytes", maxState)}
	case bytes.HasPrefix(b, []byte("{")):
		q, err = readStateJSON(b)
	default:
		q, err = readState(b)
	}
	if err != nil {
		return err
	}
	if err := q.storable(); err != nil {
		return err
	}
	*p = *q
	return nil
}

// readStateJSON reads version 1.
func readStateJSON(b []byte) (*Prepared, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	p := new(Prepared)
	if err := dec.Decode(p); err != nil {
		return nil, &PreparedError{What: "not the JSON of one: " + err.Error()}
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, &PreparedError{What: "something follows it"}
	}
	if len(p.Result.Seal) == 0 {
		p.Result.Seal = nil
	}
	p.Result.Time = p.Result.Time.UTC()
	return p, nil
}

// openState looks at version and digest of a file and gives what is between them.
func openState(b []byte) (*stateReader, error) {
	body := len(b) - sha256.Size
	switch {
	case body <= len(stateMagic) || string(b[:len(stateMagic)]) != stateMagic:
		return nil, &PreparedError{What: "not the file of one"}
	case b[len(stateMagic)] != stateVersion:
		return nil, &PreparedError{What: fmt.Sprintf("version %d is not known", b[len(stateMagic)])}
	case sha256.Sum256(b[:body]) != [sha256.Size]byte(b[body:]):
		return nil, &PreparedError{What: "it is damaged: its digest is another one"}
	}
	return &stateReader{b: b[len(stateMagic)+1 : body]}, nil
}

// readState reads version 2.
func readState(b []byte) (*Prepared, error) {
	s, err := openState(b)
	if err != nil {
		return nil, err
	}
	p := &Prepared{Version: preparedVersion}
	r := &p.Result
	copy(p.Certificate[:], s.take(sha256.Size))
	copy(r.SourceDigest[:], s.take(sha256.Size))
	r.SourceLength = int64(s.uint64())
	r.Time = time.Unix(int64(s.uint64()), 0).UTC()
	var number [14]byte
	copy(number[:], s.take(len(number)))
	r.Page = s.int()
	for _, f := range []*float64{&r.Rect.LLX, &r.Rect.LLY, &r.Rect.URX, &r.Rect.URY} {
		*f = math.Float64frombits(s.uint64())
	}
	p.Contents, p.Size, p.Room = s.int(), s.int(), s.int()
	r.Field = string(s.part(maxStateName))
	p.Attributes = s.part(maxAttributes)
	r.Seal = s.part(maxStateSeal)
	r.SealText = string(s.part(maxStateSymbol))
	p.Update = s.part(maxState)
	r.Length = r.SourceLength + int64(len(p.Update))
	if s.short || len(s.b) > 0 {
		return nil, &PreparedError{What: "its parts do not fill it"}
	}
	if number == [14]byte{} {
		return p, nil
	}
	if r.Number, err = serial.Unpack(number); err != nil {
		return nil, &PreparedError{What: err.Error()}
	}
	return p, nil
}

// storable refuses what has no file: what Prepare does not make.
func (p *Prepared) storable() error {
	r := &p.Result
	finite := true
	for _, f := range []float64{r.Rect.LLX, r.Rect.LLY, r.Rect.URX, r.Rect.URY} {
		finite = finite && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	stamped := !r.Number.IsZero()
	switch {
	case p.Version != preparedVersion:
		return &PreparedError{What: fmt.Sprintf("version %d is not known", p.Version)}
	case !r.Timestamp.IsZero() || r.TimestampOwed != "":
		return &PreparedError{What: "it is finished"}
	case r.SourceLength < 0 || r.SourceLength > math.MaxInt64-maxState, len(p.Update) > maxState-1<<20,
		len(p.Attributes) > maxAttributes, len(r.Field) > maxStateName, len(r.Seal) > maxStateSeal, len(r.SealText) > maxStateSymbol,
		r.Page < 0 || r.Page > math.MaxInt32, p.Room < 0 || p.Room > maxTimestampRoom,
		r.Time.Unix() < 0 || r.Time.Year() > 9999 || r.Time.Nanosecond() != 0,
		!finite, !utf8.ValidString(r.Field) || !utf8.ValidString(r.SealText):
		return &PreparedError{What: "one of its parts is out of range"}
	case stamped != (len(r.Seal) > 0) || stamped != (r.SealText != "") || r.Page == 0 && r.Rect != (pdf.Rect{}):
		return &PreparedError{What: "its stamp is not whole"}
	}
	return p.consistent()
}

// A stateReader takes parts off the front of a file.
type stateReader struct {
	b     []byte
	short bool // it asked for more than there is
}

func (s *stateReader) take(n int) []byte {
	if n > len(s.b) {
		s.short, s.b = true, nil
		return nil
	}
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

func (s *stateReader) uint64() uint64 {
	b := s.take(8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// int reads four bytes; what does not fit 31 bits becomes -1, which is refused.
func (s *stateReader) int() int {
	b := s.take(4)
	if b == nil {
		return 0
	}
	if n := binary.BigEndian.Uint32(b); n <= math.MaxInt32 {
		return int(n)
	}
	return -1
}

// part copies a byte string; an empty one is nil.
func (s *stateReader) part(most int) []byte {
	n := s.int()
	if n < 0 || n > most {
		s.short, s.b = true, nil
		return nil
	}
	if n == 0 {
		return nil
	}
	return bytes.Clone(s.take(n))
}
