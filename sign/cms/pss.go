package cms

import (
	"crypto"
	"errors"
	"fmt"
)

// pssParameters is RSASSA-PSS-params (RFC 4055, 3.1).
type pssParameters struct {
	hash, mask crypto.Hash // zero when not known
	salt       int
	trailer    int64
}

// parsePSS reads the parameters; what is left out has the default of RFC 4055:
// SHA-1, MGF1 with SHA-1, 20, 1.
func parsePSS(raw []byte) (p pssParameters, err error) {
	p = pssParameters{hash: crypto.SHA1, mask: crypto.SHA1, salt: 20, trailer: 1}
	if raw == nil {
		return p, errors.New("missing")
	}
	r := reader{b: raw, max: defaultDepth}
	h, err := r.open(len(raw), tagSequence, "RSASSA-PSS-params")
	if err != nil {
		return p, err
	}
	for tag := byte(tagContext0); tag <= tagContext3; tag++ {
		if !r.is(h, tag) {
			continue
		}
		in, err := r.open(h.end, tag, "parameter")
		if err != nil {
			return p, err
		}
		if err := r.pssParameter(&p, tag, in.end); err != nil {
			return p, err
		}
		if err := r.close(in); err != nil {
			return p, err
		}
	}
	return p, r.close(h)
}

func (r *reader) pssParameter(p *pssParameters, tag byte, end int) error {
	switch tag {
	case tagContext0:
		a, err := r.algorithm(end)
		p.hash = a.hash()
		return err
	case tagContext1:
		a, err := r.algorithm(end)
		if err != nil {
			return err
		}
		in := reader{b: a.Parameters, max: defaultDepth}
		mask, err := in.algorithm(len(a.Parameters))
		if err != nil || string(a.oid) != oidMGF1 {
			return r.fail(r.pos, "mask generation function other than MGF1 with a hash")
		}
		p.mask = mask.hash()
		return nil
	}
	at := r.pos
	c, err := r.integer(end, "saltLength or trailerField")
	if err != nil {
		return err
	}
	v := signed(c)
	if v.Sign() < 0 || v.BitLen() > 16 {
		return r.fail(at, "saltLength or trailerField out of range")
	}
	if tag == tagContext2 {
		p.salt = int(v.Int64())
	} else {
		p.trailer = v.Int64()
	}
	return nil
}

// consistent checks the parameters of a signature beside its digest algorithm.
func (p pssParameters) consistent(digest crypto.Hash) error {
	switch {
	case p.hash != digest:
		return refuse(ReasonInconsistent, "digest algorithm %v, RSA-PSS with %s", digest, hashName(p.hash))
	case p.mask != p.hash:
		return refuse(ReasonInconsistent, "RSA-PSS with %v, its mask with %s", p.hash, hashName(p.mask))
	case p.trailer != 1:
		return refuse(ReasonInconsistent, "RSA-PSS trailer field %d", p.trailer)
	}
	return nil
}

// allows says whether a key with these parameters may be used with hash and salt
// (RFC 4055, 3.3: the salt may be longer). No hash means no restriction.
func (p pssParameters) allows(hash crypto.Hash, salt int) bool {
	return p == pssParameters{} || p.hash == hash && p.mask == hash && salt >= p.salt
}

func hashName[H crypto.Hash | Digest](h H) string {
	if h == 0 {
		return "an unknown hash function"
	}
	return fmt.Sprint(h)
}
