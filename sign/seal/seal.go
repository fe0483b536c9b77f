package seal

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/seed-574216e4/meterai/serial"
)

const (
	version       = 1
	flagSpecimen  = 1 << 0
	flagTLVs      = 1 << 1
	headerSize    = 66
	signatureSize = 64
	max40         = 1<<40 - 1 // the greatest five-byte integer

	// Critical is the least type of a TLV that a reader must know: this
	// version knows none, so a seal with one is refused.
	Critical = 128
)

// Offsets of the header's fields.
const (
	atVersion = 0
	atFlags   = 1
	atKeyID   = 2
	atSerial  = 6
	atIssued  = 20
	atValue   = 25
	atLength  = 29
	atDigest  = 34
)

// TLV is an extra field of a seal.
type TLV struct {
	Type  byte   // below Critical
	Value []byte // at most 255 bytes
}

// Seal is the content of a seal. Algorithm, KeyID and Signature are filled in
// by signing; the other fields are the issuer's.
type Seal struct {
	Specimen       bool      // made by test credentials: never a stamp
	Algorithm      Algorithm // of the key that signs
	KeyID          [4]byte   // of the key that signs, see [Key.ID]
	Serial         serial.Number
	Issued         time.Time // whole seconds, 1970 to the year 36812; UTC when parsed
	Value          uint32    // whole units of the currency that the trust entry names
	DocumentLength int64     // bytes of the document before stamping, 1 to 2^40-1
	DocumentDigest [32]byte  // SHA-256 of these bytes
	Extra          []TLV     // ascending types, each once
	Signature      [64]byte  // as encoded; all zero before signing
}

// Encode gives the canonical encoding of a seal that is signed. It does not
// verify the signature, but refuses one that has no canonical encoding.
func (s *Seal) Encode() ([]byte, error) {
	if err := checkSignature(s.Algorithm, &s.Signature, headerSize+s.extraSize()); err != nil {
		return nil, err
	}
	return s.encode()
}

// encode is Encode without a look at the signature.
func (s *Seal) encode() ([]byte, error) {
	dst, err := s.appendHeader(make([]byte, 0, headerSize+s.extraSize()+signatureSize))
	if err != nil {
		return nil, err
	}
	return append(dst, s.Signature[:]...), nil
}

// extraSize gives the encoded length of the TLVs.
func (s *Seal) extraSize() int {
	n := 0
	for i := range s.Extra {
		n += 2 + len(s.Extra[i].Value)
	}
	return n
}

// appendHeader appends everything before the signature.
func (s *Seal) appendHeader(dst []byte) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var flags byte
	if s.Specimen {
		flags |= flagSpecimen
	}
	if len(s.Extra) > 0 {
		flags |= flagTLVs
	}
	dst = append(dst, version<<4|byte(s.Algorithm), flags)
	dst = append(dst, s.KeyID[:]...)
	packed := s.Serial.Packed()
	dst = append(dst, packed[:]...)
	dst = append40(dst, s.Issued.Unix())
	dst = binary.BigEndian.AppendUint32(dst, s.Value)
	dst = append40(dst, s.DocumentLength)
	dst = append(dst, s.DocumentDigest[:]...)
	for i := range s.Extra {
		dst = append(dst, s.Extra[i].Type, byte(len(s.Extra[i].Value)))
		dst = append(dst, s.Extra[i].Value...)
	}
	return dst, nil
}

// check says whether every field has an encoding.
func (s *Seal) check() error {
	switch {
	case s.Algorithm != Ed25519 && s.Algorithm != P256:
		return &FormatError{atVersion, "algorithm", "unknown: " + s.Algorithm.String()}
	case s.Serial.IsZero():
		return &FormatError{atSerial, "serial", "no serial number"}
	case s.Issued.Unix() < 0 || s.Issued.Unix() > max40:
		return &FormatError{atIssued, "issued", "outside 1970 to 36812"}
	case s.Issued.Nanosecond() != 0:
		return &FormatError{atIssued, "issued", "not a whole second"}
	case s.DocumentLength <= 0 || s.DocumentLength > max40:
		return &FormatError{atLength, "document length", "outside 1 to 2^40-1"}
	}
	return checkExtra(s.Extra)
}

// checkExtra says whether the TLVs can stand in a seal.
func checkExtra(extra []TLV) error {
	at := headerSize
	for i := range extra {
		t := &extra[i]
		switch {
		case t.Type >= Critical:
			return &FormatError{at, "TLV", "unknown critical type " + strconv.Itoa(int(t.Type))}
		case i > 0 && t.Type == extra[i-1].Type:
			return &FormatError{at, "TLV", "the same type twice"}
		case i > 0 && t.Type < extra[i-1].Type:
			return &FormatError{at, "TLV", "types do not ascend"}
		case len(t.Value) > 255:
			return &FormatError{at, "TLV", "longer than 255 bytes"}
		}
		at += 2 + len(t.Value)
		if at+signatureSize > MaxSize {
			return &FormatError{at, "TLV", "the seal is longer than " + strconv.Itoa(MaxSize) + " bytes"}
		}
	}
	return nil
}

// Parse reads an encoded seal. Only the canonical encoding of a seal of
// version 1 is accepted, anything else is a *FormatError. The signature is not
// verified. The result keeps nothing of b.
func Parse(b []byte) (*Seal, error) {
	if len(b) < headerSize+signatureSize {
		return nil, &FormatError{len(b), "seal", "shorter than 130 bytes"}
	}
	if len(b) > MaxSize {
		return nil, &FormatError{MaxSize, "seal", "longer than " + strconv.Itoa(MaxSize) + " bytes"}
	}
	if b[atVersion]>>4 != version {
		return nil, &FormatError{atVersion, "version", "unknown version " + strconv.Itoa(int(b[atVersion]>>4))}
	}
	if b[atFlags]&^(flagSpecimen|flagTLVs) != 0 {
		return nil, &FormatError{atFlags, "flags", "reserved bits set"}
	}
	number, err := serial.Unpack([14]byte(b[atSerial:atIssued]))
	if err != nil {
		return nil, &FormatError{atSerial, "serial", "not a serial number"}
	}
	s := &Seal{
		Specimen:       b[atFlags]&flagSpecimen != 0,
		Algorithm:      Algorithm(b[atVersion] & 15),
		KeyID:          [4]byte(b[atKeyID:]),
		Serial:         number,
		Issued:         time.Unix(read40(b[atIssued:]), 0).UTC(),
		Value:          binary.BigEndian.Uint32(b[atValue:]),
		DocumentLength: read40(b[atLength:]),
		DocumentDigest: [32]byte(b[atDigest:]),
		Signature:      [64]byte(b[len(b)-signatureSize:]),
	}
	if s.Extra, err = parseExtra(b[headerSize:len(b)-signatureSize], b[atFlags]&flagTLVs != 0); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := checkSignature(s.Algorithm, &s.Signature, len(b)-signatureSize); err != nil {
		return nil, err
	}
	return s, nil
}

// parseExtra cuts b, which stands between header and signature, into TLVs.
// Their order is left to checkExtra.
func parseExtra(b []byte, flagged bool) ([]TLV, error) {
	if flagged != (len(b) > 0) {
		if flagged {
			return nil, &FormatError{atFlags, "flags", "TLVs are flagged and there are none"}
		}
		return nil, &FormatError{headerSize + signatureSize, "seal", "trailing bytes"}
	}
	var extra []TLV
	for at := 0; at < len(b); {
		if len(b)-at < 2 || len(b)-at-2 < int(b[at+1]) {
			return nil, &FormatError{headerSize + at, "TLV", "cut off"}
		}
		end := at + 2 + int(b[at+1])
		extra = append(extra, TLV{Type: b[at], Value: append([]byte{}, b[at+2:end]...)})
		at = end
	}
	return extra, nil
}

// append40 appends a five-byte integer.
func append40(dst []byte, v int64) []byte {
	return append(dst, byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// read40 reads a five-byte integer.
func read40(b []byte) int64 {
	return int64(b[0])<<32 | int64(binary.BigEndian.Uint32(b[1:]))
}
