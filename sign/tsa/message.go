package tsa

import (
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"
)

// A request is one TimeStampReq and what its token will be held to.
type request struct {
	hash   crypto.Hash
	digest []byte
	policy asn1.ObjectIdentifier // nil: any
	nonce  *big.Int
}

// hashID gives the identifier of a hash function that an authority is asked for.
func hashID(h crypto.Hash) asn1.ObjectIdentifier {
	switch h {
	case crypto.SHA256:
		return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	case crypto.SHA384:
		return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	case crypto.SHA512:
		return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	}
	return nil
}

func newRequest(hash crypto.Hash, digest []byte, policy asn1.ObjectIdentifier) (*request, error) {
	if hashID(hash) == nil {
		return nil, fmt.Errorf("%w: hash function %v: SHA-256, SHA-384 and SHA-512 are asked for", ErrRefused, hash)
	}
	if len(digest) != hash.Size() {
		return nil, fmt.Errorf("%w: a digest of %d bytes is none of %v", ErrRefused, len(digest), hash)
	}
	b := make([]byte, nonceBytes)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("tsa: nonce: %w", err)
	}
	return &request{hash: hash, digest: digest, policy: policy, nonce: new(big.Int).SetBytes(b)}, nil
}

// encode gives the TimeStampReq (RFC 3161, 2.4.1), which asks for the
// certificate: a token has to be verifiable by itself.
func (q *request) encode() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(hashID(q.hash))
				b.AddASN1NULL()
			})
			b.AddASN1OctetString(q.digest)
		})
		if q.policy != nil {
			b.AddASN1ObjectIdentifier(q.policy)
		}
		b.AddASN1BigInt(q.nonce)
		b.AddASN1Boolean(true)
	})
	return b.Bytes()
}

// check holds a token to the request.
func (q *request) check(t *Token) error {
	switch {
	case !t.Covers(q.hash, q.digest):
		return bad(ReasonImprint, nil, "it is over another digest")
	case t.Nonce == nil:
		return bad(ReasonNonce, nil, "it does not have the nonce of the request")
	case t.Nonce.Cmp(q.nonce) != 0:
		return bad(ReasonNonce, nil, "it has another nonce than the request")
	case q.policy != nil && !t.Policy.Equal(q.policy):
		return bad(ReasonPolicy, nil, "it is of policy %v, asked was %v", t.Policy, q.policy)
	}
	return nil
}

// A response is a TimeStampResp (RFC 3161, 2.4.2).
type response struct {
	status  Status
	failure Failure
	text    string
	token   []byte // nil without
}

// parseResponse reads a TimeStampResp that takes all of b. The token is not
// looked into: it may be BER.
func parseResponse(b []byte) (*response, error) {
	in := cryptobyte.String(b)
	var outer, info cryptobyte.String
	if !in.ReadASN1(&outer, tags.SEQUENCE) {
		return nil, bad(ReasonResponse, nil, "the answer is no TimeStampResp")
	}
	if !in.Empty() {
		return nil, bad(ReasonResponse, nil, "%d bytes follow the TimeStampResp", len(in))
	}
	var status int64
	if !outer.ReadASN1(&info, tags.SEQUENCE) || !info.ReadASN1Integer(&status) || status < 0 || status > 255 {
		return nil, bad(ReasonResponse, nil, "the PKIStatusInfo cannot be read")
	}
	r := &response{status: Status(status)}
	if !r.readText(&info) || !r.readFailure(&info) || !info.Empty() {
		return nil, bad(ReasonResponse, nil, "the PKIStatusInfo cannot be read")
	}
	if !outer.Empty() {
		r.token = outer
	}
	return r, nil
}

// readText reads the optional PKIFreeText, a SEQUENCE OF UTF8String.
func (r *response) readText(info *cryptobyte.String) bool {
	var list cryptobyte.String
	var there bool
	if !info.ReadOptionalASN1(&list, &there, tags.SEQUENCE) {
		return false
	}
	var words []string
	for !list.Empty() {
		var text cryptobyte.String
		if !list.ReadASN1(&text, tags.UTF8String) {
			return false
		}
		words = append(words, string(text))
	}
	r.text = clean(strings.Join(words, "; "))
	return true
}

// readFailure reads the optional PKIFailureInfo, a BIT STRING whose bit 0 is the
// highest of the first octet.
func (r *response) readFailure(info *cryptobyte.String) bool {
	if info.Empty() {
		return true
	}
	var bits asn1.BitString
	if !info.ReadASN1BitString(&bits) {
		return false
	}
	for i := range min(bits.BitLength, 32) {
		r.failure |= Failure(bits.At(i)) << i
	}
	return true
}

// clean makes an authority's text fit for a line of a log.
func clean(s string) string {
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n++; n > maxText {
			b.WriteString("...")
			break
		}
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			c = '?'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// tokenOf is the token of a granted response, or why there is none.
func (r *response) tokenOf(server string) ([]byte, error) {
	switch {
	case r.status != Granted && r.status != GrantedWithMods:
		return nil, &StatusError{Server: server, Status: r.status, Failure: r.failure, Text: r.text}
	case r.token == nil:
		return nil, bad(ReasonResponse, nil, "the answer says %v and has no token", r.status)
	}
	return r.token, nil
}
