package verify

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// Two kinds of documents have cross-reference data that is damaged.
//
// One that is damaged as it stands is read by repair ([pdf.RepairDamaged]): it is
// a single revision, and readers may differ about it. A signature over every byte
// of the file can still be judged, since nothing was added after it: what the
// signer had in hand is what the file is. No other signature can, since nobody can
// tell what the bytes after it do.
//
// The other kind was damaged when it was stamped. Its stamp lists every object
// anew, so that all readers open it regularly, and is the first revision that the
// file has. The seal is bound to the bytes before; what those bytes showed is what
// their repaired reading shows, and the stamp's revision is held against that, as
// that of any stamp is held against the revision before it: the objects of the
// sealed bytes must have the places that the repair finds, and all else must lie
// in the stamp's revision.
//
// Where readers that repair a file are known to differ, neither is TOTAL-PASSED.

// repaired is the state of a document that a regular reading calls damaged.
type repaired struct {
	how     pdf.Repair    // how the document is to be read
	damaged *pdf.Repaired // why it was read by repair; nil when it was not

	sealed        *pdf.File // what a stamp made readable, its revision 0; else nil
	sealedObjects []pdf.Change
	stamped       []pdf.Change // what the stamp's revision changes of it
	strays        []*phrase    // what is wrong with the places that it names
}

// checkAgain judges by repair a document that a regular reading calls damaged
// for the reason given. It is nil when that finds no signature either.
func (d *document) checkAgain(ctx context.Context, cause error) *document {
	if d.src.err != nil || !errors.Is(cause, pdf.ErrDamaged) {
		return nil
	}
	again := &document{src: d.src, size: d.size, opt: d.opt, lim: d.lim, objects: d.objects}
	again.how = pdf.RepairDamaged
	if err := again.check(ctx); err != nil || len(again.list) == 0 {
		return nil
	}
	return again
}

// errRegular says that a repair changes nothing about what is wrong.
var errRegular = errors.New("the document needs no repair")

// placeRepaired refuses signatures of a damaged document that do not cover all of it; it
// tells whether c has been judged so.
func (d *document) placeRepaired(c *candidate) bool {
	if d.damaged == nil || c.rng.end == d.size {
		return false
	}
	for _, other := range d.list {
		if rng, err := parseByteRange(other.dict["ByteRange"], d.size); err == nil && rng.end == d.size {
			c.doubt(SigConstraintsFailure, say("the document is damaged: what was added after this signature cannot be told"))
			return true
		}
	}
	c.Modification = ModificationFailed
	c.fail(FormatFailure, say("the document is damaged and goes on after the signed bytes, at byte %d: what is there cannot be told", c.rng.end))
	return true
}

// collectUnreached adds the signature dictionaries of a damaged document that no
// field reaches: there is no older revision that they could have been signed in.
func (d *document) collectUnreached(known map[placeKey]*candidate) error {
	if d.damaged == nil {
		return nil
	}
	changed, err := d.changed(0)
	if err != nil {
		return err
	}
	for _, ch := range changed {
		if ch.Free || ch.Compressed {
			continue
		}
		o, dups, err := d.read(d.f, ch.Ref)
		if err != nil {
			return err
		}
		dict, direct := signatureIn(o)
		if dict == nil || known[keyOf(ch.Ref, dict)] != nil {
			continue
		}
		c := newCandidate(d.f, dict)
		c.holder, c.direct, c.dups = ch.Ref, direct, dups
		c.fail(FormatFailure, say("no field of the document reaches this signature"))
		known[keyOf(ch.Ref, dict)] = c
		if err := d.add(c); err != nil {
			return err
		}
	}
	return nil
}

// judgeRepaired says of a signature what its document's damage means for it.
func (d *document) judgeRepaired(c *candidate) {
	how := d.damaged
	if d.sealed != nil && c.placed && c.revision == 0 {
		c.doubt(SigConstraintsFailure, say("the document that was signed is damaged, and a later stamp listed its objects anew: readers may have shown something else before"))
	}
	if d.sealed != nil && c.placed && c.revision <= 1 {
		how = d.sealed.Repaired()
		c.note(say("the document was damaged (%s) when it was stamped: readers may have shown something else before", technical(how.Why)))
	} else if how != nil {
		c.note(say("the document is damaged (%s) and was read by repair: other readers may show something else", technical(how.Why)))
	}
	if how == nil {
		return
	}
	differ := how.Ambiguities
	if d.damaged == nil { // the stamp's table leaves out what could not be read
		differ = slices.Concat(differ, how.Lost, how.Disputed)
	} else {
		for _, why := range slices.Concat(how.Lost, how.Disputed) {
			c.note(say("%s", technical(why)))
		}
	}
	for _, why := range differ {
		c.doubt(SigConstraintsFailure, say("readers that repair the document differ: %s", technical(why)))
	}
}

// split makes what a stamp sealed a revision of its own when it is a damaged
// file, which only the stamp's revision made readable. It tells whether it did.
func (d *document) split() (bool, error) {
	if d.damaged != nil {
		return false, nil
	}
	length := int64(0)
	for _, c := range d.list {
		at, err := d.sealedFromStart(c)
		if err != nil {
			return false, err
		}
		if at > 0 && length > 0 {
			return false, nil // one revision has one stamp
		}
		length = max(length, at)
	}
	if length == 0 {
		return false, nil
	}
	f, err := pdf.Open(d.src, length, &pdf.Options{Password: d.opt.Password, Repair: pdf.RepairDamaged})
	if err == nil {
		_, err = f.Encryption()
	}
	if err != nil || f.Repaired() == nil {
		return false, d.src.err
	}
	list, err := f.Changed(0)
	if err != nil {
		return false, d.src.err
	}
	before := pdf.Revision{Marker: length, End: length, XRef: length}
	d.revs[0].Start = length
	d.revs = append([]pdf.Revision{before}, d.revs...)
	d.views = append([]*pdf.File{f}, d.views...)
	d.sealed, d.sealedObjects, d.list, d.kept = f, list, nil, nil
	return true, d.replaced()
}

// sealedFromStart gives the length of what is sealed when a seal stands in the
// first revision of the file, behind it; 0 otherwise.
func (d *document) sealedFromStart(c *candidate) (int64, error) {
	raw, ok := c.dict[sealKey].(pdf.String)
	if !ok {
		return 0, nil
	}
	s, err := seal.Parse([]byte(raw))
	if err != nil {
		return 0, nil // judged later
	}
	f, err := d.view(c.seen)
	if err != nil {
		return 0, err
	}
	span, _, err := f.ObjectSpan(c.holder)
	if err != nil || span.Start >= d.revs[0].End || s.DocumentLength > span.Start {
		return 0, d.src.err
	}
	return s.DocumentLength, nil
}

// replaced finds what the whole table of the stamp's revision changes of what was
// sealed. Objects that it takes from there must be where the repair finds them.
func (d *document) replaced() error {
	now, err := d.f.Changed(0)
	if err != nil {
		return err
	}
	was := d.sealedObjects
	for len(was) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(was) > 0 && was[0].Ref.Number < now[0].Ref.Number:
			if !was[0].Free {
				d.stamped = append(d.stamped, pdf.Change{Ref: was[0].Ref, Free: true})
			}
			was = was[1:]
			continue
		case len(was) == 0 || now[0].Ref.Number < was[0].Ref.Number:
			d.restamped(pdf.Change{Free: true}, now[0])
		default:
			d.restamped(was[0], now[0])
			was = was[1:]
		}
		now = now[1:]
	}
	return nil
}

// restamped notes what became of one object.
func (d *document) restamped(was, now pdf.Change) {
	if was == now || was.Free && now.Free {
		return
	}
	d.stamped = append(d.stamped, now)
	holder := now.Compressed && d.holds(now.Stream)
	if !now.Free && (now.Compressed && holder || !now.Compressed && now.Offset < d.revs[0].End) {
		d.strays = append(d.strays, say("object %d was given another place in the sealed document than a repair finds", now.Ref.Number))
	}
}

// holds tells whether an object stream is one of the sealed document.
func (d *document) holds(stream uint32) bool {
	_, ok, err := d.sealed.RefOf(stream)
	return ok || err != nil
}

// changed is what revision i lists; see pdf.File.Changed.
func (d *document) changed(i int) ([]pdf.Change, error) {
	switch {
	case d.sealed == nil:
		return d.f.Changed(i)
	case i == 0:
		return d.sealedObjects, nil
	case i == 1:
		return d.stamped, nil
	}
	return d.f.Changed(i - 1)
}

// oddities is what readers take differently in revision i; see pdf.File.Oddities.
// Those of what was sealed are told with the stamp.
func (d *document) oddities(i int) ([]*phrase, error) {
	k := i
	if d.sealed != nil {
		k--
	}
	odd, err := d.f.Oddities(k)
	if err != nil {
		return nil, err
	}
	var out []*phrase
	for _, what := range odd {
		out = append(out, technical(cleanText(what)))
	}
	if d.sealed != nil && i == 1 {
		out = append(out, d.strays...)
	}
	return out, nil
}
