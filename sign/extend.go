package sign

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/ltv"
	"github.com/seed-574216e4/meterai/sign/tsa"
)

// A Gatherer finds the validation data of a certificate; *ltv.Collector is one.
type Gatherer interface {
	Collect(ctx context.Context, cert *x509.Certificate, candidates []*x509.Certificate) (*ltv.Data, error)
}

// ExtendOptions says what [Extend] adds.
type ExtendOptions struct {
	// Data gathers the validation data of all signatures and timestamps of the
	// document (the DSS of EN 319 142-1, 5.4); nil adds none.
	Data Gatherer
	// Timestamp makes a document timestamp over everything (5.5); nil makes none.
	Timestamp tsa.Timestamper
	// Limits bound the reading of the source; nil is the default of package pdf.
	Limits *pdf.Limits
	// Password opens an encrypted source, as in [Options].
	Password string
}

// An Extension describes what was added.
type Extension struct {
	Certificates, OCSPs, CRLs int // new ones
	// Missing tells of which earlier signatures and timestamps no complete
	// validation data was to be had. Of the newest signature this is an error,
	// and in a document that has validation data already, of its newest timestamp.
	Missing []error
	// Timestamp is the time of the document timestamp; zero without one.
	Timestamp time.Time
	// Length is that of the extended document, in bytes.
	Length int64
}

// An ExtendError reports a document that cannot be extended.
type ExtendError struct {
	What string
	Err  error // may be nil
}

func (e *ExtendError) Error() string {
	if e.Err != nil {
		return "sign: extend: " + e.What + ": " + e.Err.Error()
	}
	return "sign: extend: " + e.What
}

// Unwrap gives the cause.
func (e *ExtendError) Unwrap() error { return e.Err }

// Extend makes what, appended to a signed document, keeps its signatures
// verifiable when certificates have expired and the services that answer today
// are gone: with Data validation data, which leads a timestamped signature to
// PAdES B-LT, and with Timestamp a document timestamp over all of it, which
// leads on to B-LTA (ETSI EN 319 142-1, 6.3). It signs nothing and takes no
// serial number, and may be called again, years later, to renew: the new
// timestamp then covers the validation data of the one before.
//
// The bytes of the source are not changed, and signatures stay valid. When there
// is nothing to add the update is empty. An error that is tsa.ErrRetry, or that
// comes from Data, says that the same call may succeed later.
func Extend(ctx context.Context, r io.ReaderAt, size int64, opt *ExtendOptions) ([]byte, *Extension, error) {
	x := &extender{r: r, size: size, res: &Extension{Length: size}}
	if opt != nil {
		x.opt = *opt
	}
	if x.opt.Data != nil {
		if err := x.addData(ctx); err != nil {
			return nil, nil, err
		}
	}
	if x.opt.Timestamp != nil {
		if err := x.addTimestamp(ctx); err != nil {
			return nil, nil, err
		}
	}
	x.res.Length = size + int64(len(x.update))
	return x.update, x.res, nil
}

type extender struct {
	r      io.ReaderAt
	size   int64 // of the source
	opt    ExtendOptions
	update []byte // revisions that were made so far
	res    *Extension
}

// source is the document with the revisions that were made so far.
func (x *extender) source() (io.ReaderAt, int64) {
	return Join(x.r, x.size, x.update), x.size + int64(len(x.update))
}

// Join reads a source of that size and the update after it as one document,
// which need not be written for that.
func Join(r io.ReaderAt, size int64, update []byte) io.ReaderAt {
	return &joined{first: r, size: size, rest: update}
}

// joined is a file and bytes after it.
type joined struct {
	first io.ReaderAt
	size  int64
	rest  []byte
}

// ReadAt implements [io.ReaderAt].
func (j *joined) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < j.size {
		part := p[:min(int64(len(p)), j.size-off)]
		var err error
		if n, err = j.first.ReadAt(part, off); n < len(part) {
			return n, err
		}
	}
	at := off + int64(n) - j.size
	if n < len(p) && at < int64(len(j.rest)) {
		n += copy(p[n:], j.rest[at:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// timestampRoom is the room in bytes for a token when it is larger than was
// expected, as a multiple of what came.
const timestampRoom = 2

// openForTimestamp reads the document and finds the place of a timestamp.
func (d *Document) openForTimestamp(size int64) error {
	if err := d.openFile(size); err != nil {
		return err
	}
	d.opt.Page = d.orderedPage()
	return d.lay()
}

// addTimestamp appends a revision with a document timestamp. A token that is
// larger than expected is asked for once more, with more room: that costs no
// signature of ours.
func (x *extender) addTimestamp(ctx context.Context) error {
	r, size := x.source()
	d := &Document{r: r, opt: Options{Limits: x.opt.Limits, Password: x.opt.Password}}
	if err := d.openForTimestamp(size); err != nil {
		return err
	}
	sum := sha256.New()
	if err := copySource(ctx, io.Discard, r, size, sum); err != nil {
		return err
	}
	room := tsa.MaxSize(x.opt.Timestamp)
	for range 2 {
		l, err := d.layoutTimestamp(room)
		if err != nil {
			return err
		}
		h, err := cloneHash(sum)
		if err != nil {
			return err
		}
		h.Write(l.update[:l.contents])
		h.Write(l.update[l.contents+l.size:])
		digest := h.Sum(nil)
		token, err := x.opt.Timestamp.Timestamp(ctx, crypto.SHA256, digest)
		if err != nil {
			return &ExtendError{What: "document timestamp", Err: err}
		}
		if err := checkToken(token, digest); err != nil {
			return &ExtendError{What: "document timestamp", Err: err}
		}
		if len(token.Raw) <= room {
			hex.Encode(l.update[l.contents+1:], token.Raw)
			x.update = append(x.update, l.update...)
			x.res.Timestamp = token.Time
			return x.addTokenData(ctx, token.Raw)
		}
		room = timestampRoom * len(token.Raw)
	}
	return &ExtendError{What: fmt.Sprintf("the authority's tokens do not fit into %d bytes", room)}
}

// addTokenData appends what the new timestamp itself needs, unless it is there:
// the authority of the signature's timestamp is known already.
func (x *extender) addTokenData(ctx context.Context, raw []byte) error {
	if x.opt.Data == nil {
		return nil
	}
	data, err := x.gatherToken(ctx, raw)
	if err != nil {
		return &ExtendError{What: "validation data of the document timestamp", Err: err}
	}
	r, size := x.source()
	f, err := pdf.Open(r, size, &pdf.Options{Limits: x.opt.Limits, Password: x.opt.Password})
	if err != nil {
		return err
	}
	return x.writeDSS(f, data)
}

// checkToken trusts no implementation of tsa.Timestamper.
func checkToken(token *tsa.Token, digest []byte) error {
	if token == nil {
		return errors.New("no token was given")
	}
	parsed, err := tsa.Parse(token.Raw)
	if err != nil {
		return err
	}
	if !parsed.Covers(crypto.SHA256, digest) {
		return errors.New("the token is over something else")
	}
	return nil
}

// layoutTimestamp makes the update of a document timestamp (EN 319 142-1, 5.5;
// ISO 32000-2, 12.8.5).
func (d *Document) layoutTimestamp(room int) (*layout, error) {
	l := &layout{result: Result{SourceLength: d.file.Size(), Field: fmt.Sprintf("Timestamp%d", d.file.Size())}}
	contents := &pdf.Reserved{Size: 2*room + 2, Hex: true}
	byteRange := &pdf.Reserved{Size: byteRangeRoom}
	d.plan.update.Set(d.plan.signature, pdf.Dict{
		"Type":      pdf.Name("DocTimeStamp"),
		"Filter":    pdf.Name("Adobe.PPKLite"),
		"SubFilter": pdf.Name("ETSI.RFC3161"),
		"Contents":  contents,
		"ByteRange": pdf.Array{pdf.Integer(0), byteRange},
	})
	widget := d.widget(l.result.Field)
	if n := d.appearanceThere(); n != nil {
		widget["AP"] = pdf.Dict{"N": n}
	}
	d.plan.update.Set(d.plan.field, widget)
	var err error
	if l.update, err = d.plan.update.Bytes(); err != nil {
		return nil, err
	}
	l.close(contents, byteRange)
	return l, nil
}

// appearanceThere finds the appearance stream of a signature in the document. PDF/A-1 wants
// an appearance of every field (ISO 19005-1, 6.9), also of a timestamp, whose empty rectangle
// shows nothing. One that is there already adds no object to the update, which then holds
// nothing but the timestamp.
func (d *Document) appearanceThere() pdf.Object {
	var found pdf.Object
	_ = d.file.Fields(func(f *pdf.Field) error {
		if f.Type != "Sig" {
			return nil
		}
		for _, w := range f.Widgets {
			ap, err := d.file.Dict(w.Dict["AP"])
			if err != nil || ap == nil {
				continue
			}
			if n, ok := ap["N"].(pdf.Ref); ok {
				found = n
			}
		}
		return nil
	})
	return found
}
