package cms

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// TimestampInfo is TSTInfo, what a timestamp token says (RFC 3161, 2.4.2). It is
// the content of a SignedData of type [TSTInfo].
type TimestampInfo struct {
	Policy asn1.ObjectIdentifier // of the authority, under which it stamped
	// Hash is the function of the imprint; zero in a parsed one when it is not
	// known or comes with parameters.
	Hash     Digest
	Imprint  []byte   // digest of what was stamped
	Serial   *big.Int // of the token, unique for its authority
	Time     time.Time
	Accuracy time.Duration // by how much Time may be off; zero when not stated
	Ordering bool          // tokens of the authority can be ordered by Time alone
	Nonce    *big.Int      // of the request; nil without
	// Authority is the GeneralName in the field tsa, encoded; nil without.
	Authority  []byte
	Extensions []pkix.Extension
}

// Times in DER are UTC, with the fraction of a second only where there is one
// (X.690, 11.7; RFC 3161, 2.4.2).
const timeLayout = "20060102150405.999999999Z"

const (
	tagBoolean = 0x01
	tagUTCTime = 0x17
	tagTime    = 0x18 // GeneralizedTime
	tagMillis  = 0x80
	tagMicros  = 0x81
)

// MarshalTimestampInfo encodes info in DER. It needs Policy, an imprint of a SHA-2
// function and Serial; the time is in UTC and of a year up to 9999.
func MarshalTimestampInfo(info *TimestampInfo) ([]byte, error) {
	policy := appendOIDContents(nil, info.Policy)
	function := hashOID(crypto.Hash(info.Hash))
	switch at := info.Time.UTC(); {
	case policy == nil:
		return nil, fmt.Errorf("cms: timestamp policy %v has no encoding", info.Policy)
	case function == "" || len(info.Imprint) != info.Hash.Size():
		return nil, fmt.Errorf("cms: a timestamp imprint of %d bytes with hash %d has no encoding", len(info.Imprint), info.Hash)
	case info.Serial == nil:
		return nil, fmt.Errorf("cms: a timestamp needs a serial number")
	case at.Year() < 0 || at.Year() > 9999 || info.Accuracy < 0:
		return nil, fmt.Errorf("cms: the time of the timestamp has no encoding")
	}
	extensions, err := marshalExtensions(info.Extensions)
	if err != nil {
		return nil, err
	}
	out := []byte{tagInteger, 1, 1}
	out = appendElement(out, tagOID, policy)
	out = appendElement(out, tagSequence, element(tagSequence, oidElement(function)), element(tagOctets, info.Imprint))
	out = append(out, integerElement(info.Serial)...)
	out = appendElement(out, tagTime, []byte(info.Time.UTC().Format(timeLayout)))
	out = append(out, marshalAccuracy(info.Accuracy)...)
	if info.Ordering {
		out = append(out, tagBoolean, 1, 0xff)
	}
	if info.Nonce != nil {
		out = append(out, integerElement(info.Nonce)...)
	}
	if info.Authority != nil {
		out = appendElement(out, tagContext0, info.Authority)
	}
	return element(tagSequence, out, extensions), nil
}

// marshalAccuracy encodes Accuracy, rounded up to microseconds; nothing for zero.
func marshalAccuracy(d time.Duration) []byte {
	if d == 0 {
		return nil
	}
	micros := int64((d + time.Microsecond - 1) / time.Microsecond)
	var parts []byte
	for _, part := range []struct {
		tag   byte
		value int64
	}{{tagInteger, micros / 1e6}, {tagMillis, micros / 1e3 % 1e3}, {tagMicros, micros % 1e3}} {
		if part.value != 0 {
			e := integerElement(big.NewInt(part.value))
			e[0] = part.tag
			parts = append(parts, e...)
		}
	}
	return element(tagSequence, parts)
}

func marshalExtensions(list []pkix.Extension) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out, err := asn1.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("cms: timestamp extensions: %w", err)
	}
	out[0] = tagContext1 // [1] IMPLICIT
	return out, nil
}

// ParseTimestampInfo reads the content of a timestamp token, in DER as RFC 3161,
// 2.4.2 wants it and with nothing after it. The error is a *ParseError or a
// *LimitError. Nothing is compared or verified; the imprint may be of any length.
func ParseTimestampInfo(content []byte) (*TimestampInfo, error) {
	r := reader{b: content, max: defaultDepth}
	h, err := r.open(len(content), tagSequence, "TSTInfo")
	if err != nil {
		return nil, err
	}
	info := new(TimestampInfo)
	for _, read := range []func(*TimestampInfo, header) error{
		r.timestampPolicy, r.timestampImprint, r.timestampSerial, r.timestampTime, r.timestampOptions,
	} {
		if err := read(info, h); err != nil {
			return nil, err
		}
	}
	if err := r.close(h); err != nil {
		return nil, err
	}
	if r.pos != len(content) {
		return nil, r.fail(r.pos, "bytes after the TSTInfo")
	}
	if r.loose {
		return nil, r.fail(0, "TSTInfo is not in DER")
	}
	return info, nil
}

// timestampPolicy reads version and policy.
func (r *reader) timestampPolicy(info *TimestampInfo, h header) error {
	at := r.pos
	version, err := r.integer(h.end, "version")
	if err != nil {
		return err
	}
	if len(version) != 1 || version[0] != 1 {
		return r.fail(at, "version of TSTInfo is not 1")
	}
	at = r.pos
	oid, err := r.primitive(h.end, tagOID, "policy")
	if err != nil {
		return err
	}
	if info.Policy = decodeOID(oid); info.Policy == nil {
		return r.fail(at, "policy is no identifier")
	}
	return nil
}

func (r *reader) timestampImprint(info *TimestampInfo, h header) error {
	in, err := r.open(h.end, tagSequence, "messageImprint")
	if err != nil {
		return err
	}
	a, err := r.algorithm(in.end)
	if err != nil {
		return err
	}
	info.Hash = a.digest()
	if info.Imprint, err = r.octets(in.end, tagOctets, "hashedMessage"); err != nil {
		return err
	}
	return r.close(in)
}

func (r *reader) timestampSerial(info *TimestampInfo, h header) error {
	c, err := r.integer(h.end, "serialNumber")
	if err != nil {
		return err
	}
	info.Serial = signed(c)
	return nil
}

func (r *reader) timestampTime(info *TimestampInfo, h header) (err error) {
	at := r.pos
	c, err := r.primitive(h.end, tagTime, "genTime")
	if err != nil {
		return err
	}
	// time.Parse takes a fraction after the seconds whatever the layout, also
	// after a comma, and any number of digits.
	for _, b := range c {
		if b == ',' {
			return r.fail(at, "genTime with a comma")
		}
	}
	if len(c) > maxTime {
		return r.fail(at, "genTime of too many octets")
	}
	if info.Time, err = time.Parse("20060102150405Z", string(c)); err != nil {
		return r.fail(at, "genTime is no time in UTC")
	}
	return nil
}

// timestampOptions reads what may be left out, in its order.
func (r *reader) timestampOptions(info *TimestampInfo, h header) error {
	if r.is(h, tagSequence) {
		if err := r.timestampAccuracy(info, h.end); err != nil {
			return err
		}
	}
	if r.is(h, tagBoolean) {
		c, err := r.primitive(h.end, tagBoolean, "ordering")
		if err != nil {
			return err
		}
		if len(c) != 1 {
			return r.fail(r.pos, "ordering is no BOOLEAN")
		}
		info.Ordering = c[0] != 0
	}
	if r.is(h, tagInteger) {
		c, err := r.integer(h.end, "nonce")
		if err != nil {
			return err
		}
		info.Nonce = signed(c)
	}
	if r.is(h, tagContext0) {
		explicit, err := r.open(h.end, tagContext0, "tsa")
		if err != nil {
			return err
		}
		if _, info.Authority, err = r.any(explicit.end); err != nil {
			return err
		}
		if err := r.close(explicit); err != nil {
			return err
		}
	}
	if r.is(h, tagContext1) {
		return r.timestampExtensions(info, h.end)
	}
	return nil
}

func (r *reader) timestampAccuracy(info *TimestampInfo, end int) error {
	h, err := r.open(end, tagSequence, "accuracy")
	if err != nil {
		return err
	}
	for _, part := range []struct {
		tag  byte
		unit time.Duration
		most int64
	}{{tagInteger, time.Second, maxAccuracy}, {tagMillis, time.Millisecond, 999}, {tagMicros, time.Microsecond, 999}} {
		if !r.is(h, part.tag) {
			continue
		}
		at := r.pos
		c, err := r.primitive(h.end, part.tag, "accuracy")
		if err != nil {
			return err
		}
		if len(c) == 0 || len(c) > 8 {
			return r.fail(at, "accuracy of no or too many octets")
		}
		n := signed(c).Int64()
		if n < 0 || n > part.most {
			return r.fail(at, "accuracy out of range")
		}
		info.Accuracy += time.Duration(n) * part.unit
	}
	return r.close(h)
}

func (r *reader) timestampExtensions(info *TimestampInfo, end int) error {
	h, err := r.open(end, tagContext1, "extensions")
	if err != nil {
		return err
	}
	for {
		more, err := r.more(h)
		if err != nil || !more {
			return err
		}
		if len(info.Extensions) == defaultAttributes {
			return &LimitError{Limit: "Attributes", Max: defaultAttributes}
		}
		at := r.pos
		_, raw, err := r.any(h.end)
		if err != nil {
			return err
		}
		var e pkix.Extension
		if rest, err := asn1.Unmarshal(raw, &e); err != nil || len(rest) != 0 {
			return r.fail(at, "extension of TSTInfo cannot be read")
		}
		info.Extensions = append(info.Extensions, e)
	}
}
