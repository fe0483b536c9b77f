package cms

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"slices"
)

// Finish returns the DER ContentInfo that goes into /Contents: SignedData of
// version 1 without content, one SignerInfo with attrs, as SignedAttributes
// returned them, and signature. The unsigned attributes, such as a signature
// timestamp, need Type and Values; each value is one encoded element. The
// signature is not verified here (see [Template.Check]).
func (t *Template) Finish(attrs, signature []byte, unsigned ...Attribute) ([]byte, error) {
	return t.finish(nil, attrs, signature, unsigned)
}

// FinishAttached is [Template.Finish] with the content inside, as a timestamp
// token has it; attrs must be over the digest of content.
func (t *Template) FinishAttached(content, attrs, signature []byte, unsigned ...Attribute) ([]byte, error) {
	return t.finish(element(tagContext0, element(tagOctets, content)), attrs, signature, unsigned)
}

// MaxSize is an upper bound, in bytes, of what Finish returns without unsigned
// attributes: exact for RSA and Ed25519; an ECDSA signature is at most a few
// bytes shorter (its DER integers).
func (t *Template) MaxSize() int {
	return t.layout(0, len(t.attrs), maxSignature(t.pub), 0).total
}

// MaxSizeTimestamped is [Template.MaxSize] with one unsigned attribute
// [TimestampToken] whose value takes token bytes.
func (t *Template) MaxSizeTimestamped(token int) int {
	oid := len(appendOIDContents(nil, TimestampToken()))
	attribute := elementSize(elementSize(oid) + elementSize(token))
	return t.layout(0, len(t.attrs), maxSignature(t.pub), elementSize(attribute)).total
}

// layout holds the lengths of the nested contents, from the inside out.
type layout struct {
	signature, signer, encap, data, total int
}

func (t *Template) layout(content, attrs, signature, unsigned int) layout {
	l := layout{signature: signature}
	l.signer = len(t.signer) + attrs + len(t.signature) + elementSize(signature) + unsigned
	l.encap = len(t.content) + content
	l.data = 3 + len(t.digests) + elementSize(l.encap) + len(t.certs) + elementSize(elementSize(l.signer))
	oid := elementSize(len(oidSignedData))
	l.total = elementSize(oid + elementSize(elementSize(l.data)))
	return l
}

func (t *Template) finish(content, attrs, signature []byte, unsigned []Attribute) ([]byte, error) {
	if err := t.own(attrs); err != nil {
		return nil, err
	}
	if n := len(signature); n == 0 || n > maxSignature(t.pub) {
		return nil, fmt.Errorf("cms: signature of %d bytes, at most %d expected", n, maxSignature(t.pub))
	}
	extra, err := unsignedSet(unsigned)
	if err != nil {
		return nil, err
	}
	l := t.layout(len(content), len(attrs), len(signature), len(extra))
	out := make([]byte, 0, l.total)

	inner := elementSize(l.data)
	out = appendHeader(out, tagSequence, elementSize(len(oidSignedData))+elementSize(inner))
	out = append(appendHeader(out, tagOID, len(oidSignedData)), oidSignedData...)
	out = appendHeader(out, tagContext0, inner)

	out = appendHeader(out, tagSequence, l.data)
	out = append(out, tagInteger, 1, t.version)
	out = append(out, t.digests...)
	out = appendHeader(out, tagSequence, l.encap)
	out = append(append(out, t.content...), content...)
	out = append(out, t.certs...)

	out = appendHeader(out, tagSet, elementSize(l.signer))
	out = appendHeader(out, tagSequence, l.signer)
	out = append(out, t.signer...)
	at := len(out)
	out = append(out, attrs...)
	out[at] = tagContext0 // [0] IMPLICIT on the wire, SET OF under the signature
	out = append(out, t.signature...)
	out = append(appendHeader(out, tagOctets, l.signature), signature...)
	return append(out, extra...), nil
}

// Attribute is an Attribute of a SignerInfo (RFC 5652, 5.3).
type Attribute struct {
	Type   asn1.ObjectIdentifier // nil when parsed with an arc beyond 2^31
	Values [][]byte              // each one encoded element, tag and length included
	Raw    []byte                // as received; not used for building

	oid []byte // contents octets of the type
}

// unsignedSet encodes [1] IMPLICIT UnsignedAttributes in DER order; nothing for none.
func unsignedSet(list []Attribute) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	encoded := make([][]byte, 0, len(list))
	for i := range list {
		oid := appendOIDContents(nil, list[i].Type)
		if oid == nil || len(list[i].Values) == 0 {
			return nil, fmt.Errorf("cms: unsigned attribute %d (%v) needs a type and a value", i, list[i].Type)
		}
		for _, v := range list[i].Values {
			if !single(v) {
				return nil, fmt.Errorf("cms: a value of unsigned attribute %v is not one encoded element", list[i].Type)
			}
		}
		values := slices.Clone(list[i].Values)
		slices.SortFunc(values, bytes.Compare)
		encoded = append(encoded, element(tagSequence, element(tagOID, oid), element(tagSet, values...)))
	}
	slices.SortFunc(encoded, bytes.Compare)
	return element(tagContext1, encoded...), nil
}
