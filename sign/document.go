package sign

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// A Document is a source that was found fit to be signed as its options say.
// It may be signed several times, each time from the source as it is; it is
// not safe for concurrent use.
type Document struct {
	r        io.ReaderAt
	file     *pdf.File
	repair   pdf.Repair // how it is read
	opt      Options
	key      *seal.Key  // public seal key; nil without a stamp
	place    *placement // nil when invisible
	form     *form
	fill     *existing // the field to be filled; nil makes a new one
	first    bool      // the document was looked through and has no signature
	empty    bool      // the signature is invisible and has an appearance all the same
	warnings []string
	plan     *plan
	digest   *[sha256.Size]byte // once known
	state    hash.Hash          // SHA-256 after the whole source, with digest
	// beforeKey is called when the document waits for nothing but its key; nil: not.
	beforeKey func()
}

// Open reads what a signature needs of the source and refuses whatever can be
// refused before a serial number is taken:
//
//   - pdf.ErrNotPDF, pdf.ErrDamaged, pdf.ErrEncrypted (the password does not
//     open the file) and the limits of package pdf;
//   - *[AccessError]: the author of an encrypted file does not permit it;
//   - *[RepairError]: [Options.AllowRepair] does not help this damaged file;
//   - [ErrAmbiguous]: readers disagree about the file;
//   - [ErrCertified]: a stamp would break the author's certification;
//   - *[CertificationError]: it cannot be certified, since it is signed;
//   - *pdf.PageRangeError: no such page;
//   - *[FieldError]: the field that is to be filled is not there, or not empty, or
//     an earlier signature locks the field, be it new or there;
//   - *[PlacementError]: the stamp is outside its page, empty or too small, or
//     its anchor text or a free spot is not found;
//   - *[StampError]: the stamp itself cannot be made.
//
// The source must stay as it is until the document is signed; r is read at any
// offset below size.
func Open(r io.ReaderAt, size int64, opt *Options) (*Document, error) {
	d := &Document{r: r}
	if opt != nil {
		d.opt = *opt
	}
	err := d.preflight(size)
	if d.opt.AllowRepair && damaged(err) {
		return openRepaired(r, size, &d.opt, err)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// preflight makes every check and the plan.
func (d *Document) preflight(size int64) error {
	if err := d.openFile(size); err != nil {
		return err
	}
	if err := d.readExisting(); err != nil {
		return err
	}
	if err := d.checkCertify(); err != nil { // first: no option helps a document that is signed
		return err
	}
	if err := d.checkPermission(); err != nil {
		return err
	}
	if err := d.checkStamp(size); err != nil {
		return err
	}
	if err := d.opt.Timestamp.check(); err != nil {
		return err
	}
	if err := d.opt.Profile.check(); err != nil {
		return err
	}
	d.empty = d.needsAppearance()
	return d.lay()
}

// openFile reads what every update needs.
func (d *Document) openFile(size int64) (err error) {
	if d.file, err = pdf.Open(d.r, size, &pdf.Options{Limits: d.opt.Limits, Password: d.opt.Password, Repair: d.repair}); err != nil {
		return err
	}
	if err := d.checkAccess(); err != nil {
		return err
	}
	if err := d.checkHeader(); err != nil {
		return err
	}
	if d.form, err = readForm(d.file); err != nil {
		return err
	}
	return d.checkRepaired()
}

// lay finds the place and makes the plan.
func (d *Document) lay() (err error) {
	if d.place, err = d.newPlacement(); err != nil {
		return err
	}
	d.plan, err = d.newPlan()
	return err
}

// checkHeader refuses a header that does not stand at byte 0.
func (d *Document) checkHeader() error {
	off := d.file.HeaderOffset()
	switch {
	case off == 0:
		return nil
	case !d.opt.AllowAmbiguous:
		return fmt.Errorf("%w: its header stands at byte %d", ErrAmbiguous, off)
	}
	d.warn("the header does not stand at the first byte: some readers will call the signature broken")
	return nil
}

// checkStamp validates the stamp before the page is looked at.
func (d *Document) checkStamp(size int64) (err error) {
	if d.opt.Stamp == nil {
		return nil
	}
	if size > maxSource {
		return &StampError{What: "a seal covers documents below 2^40 bytes"}
	}
	d.key, err = d.opt.Stamp.check()
	return err
}

// Warnings are remarks on what some readers will make of the signed document,
// one sentence each; nil when there are none.
func (d *Document) Warnings() []string { return d.warnings }

// Digest is the SHA-256 of the source, read once. It is what a seal carries
// and what a ledger keeps of a request.
func (d *Document) Digest(ctx context.Context) ([sha256.Size]byte, error) {
	if d.digest == nil {
		h := sha256.New()
		if err := copySource(ctx, io.Discard, d.r, d.file.Size(), h); err != nil {
			return [sha256.Size]byte{}, err
		}
		if err := d.remember(h); err != nil {
			return [sha256.Size]byte{}, err
		}
	}
	return *d.digest, nil
}

// Request is what a ledger is to be asked for: a unit for this document, with
// its digest, length, value and placement, so that the same key with another
// document or place is a conflict. Kind and Profile are the caller's to fill in.
func (d *Document) Request(ctx context.Context, account string, key []byte) (serial.Request, error) {
	if d.opt.Stamp == nil {
		return serial.Request{}, &StampError{What: "the options ask for no stamp"}
	}
	digest, err := d.Digest(ctx)
	if err != nil {
		return serial.Request{}, err
	}
	at := d.place.seen
	return serial.Request{
		Account: account, Key: key,
		Digest: digest, Length: d.file.Size(), Value: d.opt.Stamp.Value,
		Placement: fmt.Sprintf("page %d at %.2f,%.2f, %.2f x %.2f pt", d.place.page.Number, at.LLX, at.LLY, d.place.width, d.place.height),
	}, nil
}

// remember keeps the digest of the whole source, and refuses another one than
// was seen before.
func (d *Document) remember(h hash.Hash) error {
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	if d.digest != nil && *d.digest != sum {
		return ErrChanged
	}
	d.digest, d.state = &sum, h
	return nil
}

// Sign writes the source and the update that signs it to w. On an error what
// was written so far is not a document.
func (d *Document) Sign(ctx context.Context, w io.Writer, cred *Credential, is Issue) (*Result, error) {
	if cred == nil || cred.signer == nil {
		return nil, ErrNoKey
	}
	h, err := d.hash(ctx, w, cred)
	if err != nil {
		return nil, err
	}
	var room []byte
	if d.opt.Timestamp == nil { // whose error may keep the update
		shared := updates.Get().(*[updateRoom]byte)
		defer updates.Put(shared)
		room = shared[:]
	}
	update, res, err := d.sign(ctx, h, cred, is, room)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(update); err != nil {
		return nil, fmt.Errorf("sign: writing the update: %w", err)
	}
	return res, nil
}

// Update makes the update alone: appended to the source it is the signed
// document. A source that was digested before is not read again.
func (d *Document) Update(ctx context.Context, cred *Credential, is Issue) ([]byte, *Result, error) {
	if cred == nil || cred.signer == nil {
		return nil, nil, ErrNoKey
	}
	h, err := d.hash(ctx, nil, cred)
	if err != nil {
		return nil, nil, err
	}
	return d.sign(ctx, h, cred, is, nil)
}

// sign gives the update, which is in room if that is large enough.
func (d *Document) sign(ctx context.Context, h hash.Hash, cred *Credential, is Issue, room []byte) ([]byte, *Result, error) {
	if t := d.opt.Timestamp; t != nil && t.Authority == nil {
		return nil, nil, &StampError{What: "no authority is given for its timestamp"}
	}
	p, err := d.prepare(ctx, h, cred, is, room)
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if d.beforeKey != nil {
		d.beforeKey()
	}
	signature, err := p.template(cred).Sign(withContext(ctx, cred.signer), p.Attributes)
	if err != nil {
		return nil, nil, fmt.Errorf("sign: %w", err)
	}
	if err := p.complete(ctx, cred, signature, d.opt.Timestamp); err != nil {
		return nil, nil, err
	}
	res := p.Result
	return p.Update, &res, nil
}

func (is Issue) withTime() Issue {
	if is.Time.IsZero() {
		is.Time = time.Now()
	}
	is.Time = is.Time.UTC().Truncate(time.Second)
	return is
}

// hash returns the signature's hash state after the whole source, and has
// remembered the source's SHA-256. With w it copies the source on the way.
func (d *Document) hash(ctx context.Context, w io.Writer, cred *Credential) (hash.Hash, error) {
	same := cred.template.Algorithm.Hash() == crypto.SHA256
	if w == nil {
		w = io.Discard
		if same && d.state != nil {
			return cloneHash(d.state)
		}
	}
	sum := sha256.New()
	if same {
		if err := copySource(ctx, w, d.r, d.file.Size(), sum); err != nil {
			return nil, err
		}
		if err := d.remember(sum); err != nil {
			return nil, err
		}
		return cloneHash(sum)
	}
	other := cred.template.Algorithm.Hash().New()
	if err := copySource(ctx, w, d.r, d.file.Size(), sum, other); err != nil {
		return nil, err
	}
	return other, d.remember(sum)
}

func cloneHash(h hash.Hash) (hash.Hash, error) {
	c, ok := h.(hash.Cloner)
	if !ok {
		return nil, fmt.Errorf("sign: %T cannot be cloned", h)
	}
	return c.Clone()
}
