package sign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/tsa"
)

// preparedVersion is [Prepared.Version], which only its JSON form writes down; the
// file has a version of its own.
const preparedVersion = 1

// A Prepared document lacks nothing but the signature's value. It can be kept in a
// file ([Prepared.WriteTo], [ReadPrepared]) of a size that does not depend on the
// source and without secrets, and also marshals to JSON. Finish notices when it was
// changed.
type Prepared struct {
	Version     int
	Certificate Digest // SHA-256 of the signing certificate
	Attributes  []byte // signed attributes, DER, tag SET: the message
	Update      []byte // what will be appended to the source
	Contents    int    // offset in Update of the '<' of /Contents
	Size        int    // bytes of /Contents with its brackets
	Room        int    `json:",omitempty"` // bytes of it for a timestamp; zero without
	Result      Result
}

// Prepare does everything but the signature itself: it reads the source once
// and lays the update out. Have [Prepared.Message] signed and call
// [Prepared.Finish].
func (d *Document) Prepare(ctx context.Context, cred *Credential, is Issue) (*Prepared, error) {
	if cred == nil {
		return nil, ErrNoKey
	}
	h, err := d.hash(ctx, nil, cred)
	if err != nil {
		return nil, err
	}
	return d.prepare(ctx, h, cred, is, nil)
}

// prepare lays the update out and closes the signature's digest; h is the
// state after the source. The update is in room if that is large enough.
func (d *Document) prepare(ctx context.Context, h hash.Hash, cred *Credential, is Issue, room []byte) (*Prepared, error) {
	is = is.withTime()
	if is.Time.Unix() < 0 || is.Time.Year() > 9999 {
		return nil, &StampError{What: "the time does not fit a date of PDF"}
	}
	l, err := d.layout(ctx, cred, is, room)
	if err != nil {
		return nil, err
	}
	h.Write(l.update[:l.contents])
	h.Write(l.update[l.contents+l.size:])
	return &Prepared{
		Version:     preparedVersion,
		Certificate: sha256.Sum256(cred.Certificate().Raw),
		Attributes:  d.template(cred, is).SignedAttributes(h.Sum(nil)),
		Update:      l.update,
		Contents:    l.contents,
		Size:        l.size,
		Room:        l.room,
		Result:      l.result,
	}, nil
}

// Message is what the key has to sign: the DER of the signed attributes
// (RFC 5652, 5.4). RSA and ECDSA keys sign its digest, Ed25519 and ML-DSA keys
// the message itself.
func (p *Prepared) Message() []byte { return p.Attributes }

// Digest is the digest of the message, for keys that sign digests.
func (p *Prepared) Digest(alg cms.Algorithm) []byte {
	h := alg.Hash().New()
	h.Write(p.Attributes)
	return h.Sum(nil)
}

// Finish checks the signature with the certificate of cred, which is the one
// that was prepared for, reads the source again and writes the signed document
// to w. A source that is not the prepared one gives [ErrChanged], a prepared
// document that was changed a *[PreparedError], both after some of the source
// was written; a signature that does not verify a *cms.VerifyError before that.
// ECDSA signatures are in DER. A document that was prepared for a timestamp is
// finished with [Prepared.FinishTimestamped] only.
func (p *Prepared) Finish(ctx context.Context, w io.Writer, r io.ReaderAt, size int64, cred *Credential, signature []byte) (*Result, error) {
	return p.FinishTimestamped(ctx, w, r, size, cred, signature, nil)
}

// FinishTimestamped is [Prepared.Finish] that gets a signature timestamp first; of t
// its Authority and Owed count, since the room was made when the document was
// prepared. When there is no token and none may be owed, nothing was written and the
// error is a *[TimestampError]: the same call may be made again later.
func (p *Prepared) FinishTimestamped(ctx context.Context, w io.Writer, r io.ReaderAt, size int64, cred *Credential, signature []byte, t *Timestamp) (*Result, error) {
	done, err := p.finish(ctx, w, r, size, cred, signature, t)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(done.Update); err != nil {
		return nil, fmt.Errorf("sign: writing the update: %w", err)
	}
	return &done.Result, nil
}

// FinishUpdate is [Prepared.FinishTimestamped] that gives the update alone, as
// [Document.Update] does; t is nil when the document was not prepared for a
// timestamp.
func (p *Prepared) FinishUpdate(ctx context.Context, r io.ReaderAt, size int64, cred *Credential, signature []byte, t *Timestamp) ([]byte, *Result, error) {
	done, err := p.finish(ctx, io.Discard, r, size, cred, signature, t)
	if err != nil {
		return nil, nil, err
	}
	return done.Update, &done.Result, nil
}

// finish gives the completed copy, and has written the source to w.
func (p *Prepared) finish(ctx context.Context, w io.Writer, r io.ReaderAt, size int64, cred *Credential, signature []byte, t *Timestamp) (*Prepared, error) {
	if cred == nil {
		return nil, ErrNoKey
	}
	if err := p.check(cred); err != nil {
		return nil, err
	}
	if err := p.checkTimestamp(t); err != nil {
		return nil, err
	}
	if size != p.Result.SourceLength {
		return nil, ErrChanged
	}
	done := *p
	done.Update = bytes.Clone(p.Update)
	if err := done.complete(ctx, cred, signature, t); err != nil {
		return nil, err
	}
	sum, signed := sha256.New(), cred.template.Algorithm.Hash().New()
	if err := copySource(ctx, w, r, size, sum, signed); err != nil {
		return nil, err
	}
	if Digest(sum.Sum(nil)) != p.Result.SourceDigest {
		return nil, ErrChanged
	}
	signed.Write(p.Update[:p.Contents])
	signed.Write(p.Update[p.Contents+p.Size:])
	if !bytes.Equal(p.template(cred).SignedAttributes(signed.Sum(nil)), p.Attributes) {
		return nil, &PreparedError{What: "the update is not the one that was signed"}
	}
	return &done, nil
}

// check refuses what did not come from Prepare with the same certificate.
func (p *Prepared) check(cred *Credential) error {
	switch {
	case p.Version != preparedVersion:
		return &PreparedError{What: fmt.Sprintf("version %d, want %d", p.Version, preparedVersion)}
	case p.Certificate != sha256.Sum256(cred.Certificate().Raw):
		return &PreparedError{What: "it was made for another certificate"}
	}
	return p.consistent()
}

// consistent says whether offsets and lengths fit the update.
func (p *Prepared) consistent() error {
	switch {
	case p.Contents < 0 || p.Size < 2 || p.Contents > len(p.Update)-p.Size,
		p.Update[p.Contents] != '<' || p.Update[p.Contents+p.Size-1] != '>',
		p.Result.Length != p.Result.SourceLength+int64(len(p.Update)):
		return &PreparedError{What: "its parts do not fit together"}
	}
	return nil
}

// checkTimestamp refuses a timestamp that was not prepared for, and none where one was.
func (p *Prepared) checkTimestamp(t *Timestamp) error {
	switch {
	case t == nil && p.Room != 0:
		return &PreparedError{What: "it was prepared for a timestamp"}
	case t == nil:
		return nil
	case t.Authority == nil:
		return &PreparedError{What: "no authority is given for its timestamp"}
	case p.Room <= 0:
		return &PreparedError{What: "it was not prepared for a timestamp"}
	}
	return nil
}

// embed puts the CMS with its timestamp, which may be nil, into the update.
func (p *Prepared) embed(cred *Credential, signature []byte, token *tsa.Token) error {
	der, err := p.template(cred).Finish(p.Attributes, signature, unsigned(token)...)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	room := p.Update[p.Contents+1 : p.Contents+p.Size-1]
	if hex.EncodedLen(len(der)) > len(room) {
		return &RoomError{Need: len(der), Have: len(room) / 2}
	}
	hex.Encode(room, der)
	return nil
}
