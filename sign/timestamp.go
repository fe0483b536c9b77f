package sign

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/tsa"
)

// maxTimestampRoom bounds the room for a token, in bytes; verifiers bound a whole
// signature at some megabytes.
const maxTimestampRoom = 1 << 20

// Timestamp asks for a signature timestamp, which makes the signature one of level
// B-T (ETSI EN 319 142-1, 6.3): a token over the signature's value, as the unsigned
// attribute of ETSI EN 319 122-1, 5.3. It proves that the signature existed before
// the certificate expired or was revoked.
//
// A token comes from outside and is another one each time: the same document
// stamped again under the same number has other bytes. Whoever promises the
// identical document keeps the output, as serial.Sink does.
type Timestamp struct {
	// Authority gives the token, such as a *tsa.Client. It is asked once, after the
	// key was used. Nil only prepares the room, for [Prepared.FinishTimestamped].
	Authority tsa.Timestamper
	// Room is how many bytes are reserved for the token. Zero asks the authority
	// (see [tsa.MaxSize]); the largest is 1 MiB.
	Room int
	// Owed seals at level B-B when no token can be had, whatever the reason, and
	// says so in Result.TimestampOwed: [Extend] then supplies it, as a document
	// timestamp. Otherwise there is no document, and the answer is a
	// *[TimestampError], with which it can be finished later. A ctx that is done is
	// such an error in either case.
	Owed bool
}

// TimestampError says that a document was signed but got no timestamp. Nothing is
// lost: Prepared.FinishTimestamped with Signature completes the document, in another
// process or an hour later, without using the key again.
type TimestampError struct {
	Prepared  *Prepared
	Signature []byte
	Err       error // of package tsa, such as one that is tsa.ErrRetry; or a *RoomError
}

func (e *TimestampError) Error() string { return "sign: timestamp: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *TimestampError) Unwrap() error { return e.Err }

// RoomError says that a timestamp token does not fit into what was reserved for it
// before the document was signed; see [Timestamp.Room].
type RoomError struct {
	Need, Have int // bytes of the signature with its token
}

func (e *RoomError) Error() string {
	return fmt.Sprintf("sign: the signature with its timestamp takes %d bytes, reserved are %d", e.Need, e.Have)
}

// check refuses what can be refused before anything is signed.
func (t *Timestamp) check() error {
	switch {
	case t == nil:
		return nil
	case t.Authority == nil && t.Room <= 0:
		return &StampError{What: "a timestamp needs an authority, or the room for its token"}
	case t.room() > maxTimestampRoom:
		return &StampError{What: fmt.Sprintf("a room of %d bytes for the timestamp is more than %d", t.room(), maxTimestampRoom)}
	}
	return nil
}

// room is how many bytes to reserve for the token, zero without a timestamp.
func (t *Timestamp) room() int {
	switch {
	case t == nil:
		return 0
	case t.Room > 0:
		return t.Room
	case t.Authority == nil:
		return 0
	}
	// Whatever an implementation says, the signature itself has to find its place.
	if n := tsa.MaxSize(t.Authority); n > 0 {
		return min(n, maxTimestampRoom)
	}
	return tsa.DefaultSize
}

// contentsSize bounds the CMS, in bytes, with a token of up to room bytes.
func contentsSize(t *cms.Template, room int) int {
	if room == 0 {
		return t.MaxSize()
	}
	return t.MaxSizeTimestamped(room)
}

// complete checks the signature, gets its timestamp if one was prepared for, and
// puts both into the update.
func (p *Prepared) complete(ctx context.Context, cred *Credential, signature []byte, t *Timestamp) error {
	if err := p.template(cred).Check(p.Attributes, signature); err != nil {
		return fmt.Errorf("sign: the signature is not the certificate's: %w", err)
	}
	if t == nil {
		return p.embed(cred, signature, nil)
	}
	token, err := stampSignature(ctx, cred, signature, t.Authority)
	if err == nil {
		err = p.embed(cred, signature, token)
	}
	switch {
	case err == nil:
		p.Result.Timestamp = token.Time
		return nil
	case !t.Owed || ctx.Err() != nil:
		return &TimestampError{Prepared: p, Signature: signature, Err: err}
	}
	p.Result.TimestampOwed = err.Error()
	return p.embed(cred, signature, nil)
}

// stampSignature gets a token over a signature's value and checks it, whoever the
// authority is.
func stampSignature(ctx context.Context, cred *Credential, signature []byte, authority tsa.Timestamper) (*tsa.Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	function := cred.template.Algorithm.Hash()
	h := function.New()
	h.Write(signature)
	digest := h.Sum(nil)
	got, err := authority.Timestamp(ctx, function, digest)
	if err != nil {
		return nil, err
	}
	if got == nil {
		return nil, fmt.Errorf("%w: the authority returned none", tsa.ErrToken)
	}
	token, err := tsa.Parse(got.Raw)
	if err != nil {
		return nil, err
	}
	if !token.Covers(function, digest) {
		return nil, fmt.Errorf("%w: it is over something else", tsa.ErrToken)
	}
	if end := cred.Certificate().NotAfter; token.Time.After(end) {
		return nil, fmt.Errorf("%w: its time, %s, is after the end of the signing certificate, %s",
			tsa.ErrToken, token.Time.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
	}
	return token, nil
}

// unsigned is the attribute that carries a token; none without one.
func unsigned(token *tsa.Token) []cms.Attribute {
	if token == nil {
		return nil
	}
	return []cms.Attribute{{Type: cms.TimestampToken(), Values: [][]byte{token.Raw}}}
}
