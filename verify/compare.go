package verify

import (
	"context"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// step is what one revision did to the one before it.
type step struct {
	level   changeLevel
	reasons []*phrase // why it is more than anybody may do
	filled  []string  // full names of fields that got another value or look
	signed  []string  // of fields that were signed or added as signature fields
	visible []string  // of new signature fields that show on a page
	annots  []*phrase // annotations that were added or removed and are no signature fields
	covers  []*phrase // what is to be said of annotations that can cover content
	unclear *phrase   // what about it could not be told
	setup   []*phrase // what only a stamp may bring along, and not after another signature
	between *phrase   // what lies before the stamp that it holds and after the revision before
	hides   *phrase   // how much of its page that stamp covers, when it is too much
	own     []*phrase // what is more than the stamp that it holds may change
}

// compare judges, for each signature, all revisions after it. Each revision is
// compared with the one before it once, whatever the number of signatures.
func (d *document) compare(ctx context.Context) error {
	base := len(d.revs)
	for _, c := range d.list {
		if c.placed {
			base = min(base, c.from())
		}
	}
	var steps []step
	if base < len(d.revs)-1 {
		var err error
		if steps, err = d.steps(ctx, base); err != nil {
			return err
		}
	}
	for _, c := range d.list {
		if c.placed {
			d.weigh(c, steps)
			c.compared = true
		}
	}
	return nil
}

// from is the revision from which on comparisons matter for a signature: its
// own, or with a seal the one before, which the seal binds.
func (c *candidate) from() int {
	if c.claim != nil && c.claim.seal != nil && c.revision > 0 {
		return c.revision - 1
	}
	return c.revision
}

// steps compares every revision after base with the one before it.
func (d *document) steps(ctx context.Context, base int) ([]step, error) {
	changed := make([][]pdf.Change, len(d.revs))
	for i := base + 1; i < len(d.revs); i++ {
		var err error
		if changed[i], err = d.changed(i); err != nil {
			return nil, err
		}
	}
	edges, err := d.indexEdges(ctx, base, changed)
	if err != nil {
		return nil, err
	}
	steps := make([]step, len(d.revs))
	for i := base + 1; i < len(d.revs); i++ {
		if err := ctx.Err(); err != nil {
			d.src.err = err
			return nil, err
		}
		s, err := d.step(i, changed[i], edges)
		if err != nil {
			return nil, err
		}
		steps[i] = s
	}
	return steps, nil
}

// weigh holds what happened after a signature against the policy and against
// what the signer allowed.
func (d *document) weigh(c *candidate, steps []step) {
	f, err := d.view(c.revision)
	if err != nil {
		c.doubt(FormatFailure, say("the signed revision cannot be read: %s", err))
		return
	}
	c.perms = permissionsOf(f, c.dict, c.fieldRef)
	c.Certified = c.certification(f)
	if c.perms.bad != nil {
		c.fail(FormatFailure, c.perms.bad)
	}
	modified := func(format string, args ...any) {
		c.Modification = ModificationFailed
		c.fail(FormatFailure, say(format, args...))
	}
	if c.from() < c.revision {
		own := &steps[c.revision]
		c.claim.changes, c.claim.unclear, c.claim.hides = own.own, own.unclear, own.hides
	}
	for i := c.revision + 1; i < len(d.revs); i++ {
		if c.Modification == ModificationNone {
			c.Modification = ModificationAllowed
		}
		d.weighStep(c, i, &steps[i], modified)
	}
	if d.trailing != nil && c.rng.end != d.size {
		modified("%s", d.trailing)
	}
	if c.Modification == ModificationAllowed {
		c.note(summary(steps[c.revision+1:]))
	}
}

// summary says what allowed revisions did.
func summary(steps []step) *phrase {
	var filled, signed []string
	var annots []*phrase
	for i := range steps {
		annots = append(annots, steps[i].annots...)
		filled = append(filled, steps[i].filled...)
		signed = append(signed, steps[i].signed...)
	}
	what := []*phrase{say("%d later revisions, nothing in them but allowed changes", len(steps))}
	if len(steps) == 1 {
		what[0] = say("one later revision, nothing in it but allowed changes")
	}
	if len(signed) > 0 {
		what = append(what, say("fields signed or added for signing: %s", list(signed)))
	}
	if len(filled) > 0 {
		what = append(what, say("fields filled in: %s", list(filled)))
	}
	if len(annots) > 0 {
		what = append(what, say("annotations: %s", list(annots)))
	}
	return join("; ", what...)
}

func (d *document) weighStep(c *candidate, i int, s *step, modified func(string, ...any)) {
	who := say("the signature")
	if c.Field != "" {
		who = say("the signature in %s", c.Field)
	}
	reasons := slices.Concat(s.reasons, s.setup)
	if d.opt.Policy != Lenient {
		reasons = slices.Concat(reasons, s.covers)
	}
	reasons = append(slices.Clip(reasons), phrases(s.unclear, s.between)...)
	if d.f.HeaderOffset() != 0 {
		reasons = append(slices.Clip(reasons), say("the header is not at the first byte of the file: readers differ in where the objects of later revisions are"))
	}
	for _, why := range reasons {
		modified("revision %d, after %s: %s", i+1, who, why)
	}
	if len(reasons) > 0 {
		return
	}
	if s.level > c.allows(d.opt.Policy) {
		what := map[changeLevel]*phrase{formFilling: say("form fields were filled in or signed (%s)", list(slices.Concat(s.filled, s.signed))),
			annotating: say("annotations were changed (%s)", list(s.annots))}[s.level]
		modified("revision %d, after %s, which does not allow it: %s", i+1, who, what)
	}
	if d.opt.Policy == Strict && len(s.filled) > 0 {
		modified("revision %d, after %s: form fields were filled in (%s), which the strict policy does not accept", i+1, who, list(s.filled))
	}
	for _, name := range slices.Concat(s.filled, s.signed) {
		if c.perms.locked(name) {
			modified("revision %d changed the field %s, which %s locks", i+1, cleanText(name), who)
		}
	}
	if c.perms.certified && len(s.visible) > 0 {
		modified("revision %d added visible signature fields (%s) to a certified document", i+1, list(s.visible))
	}
}

// allows is the level of changes that the signer and the policy allow.
func (c *candidate) allows(p Policy) changeLevel {
	if p == Lenient && !c.perms.stated && !c.perms.certified {
		return max(c.perms.level, annotating)
	}
	return c.perms.level
}

// list names a few of many.
func list[T string | *phrase](names []T) *phrase {
	const few = 5
	var short []*phrase
	for i, n := range names {
		if i == few {
			short = append(short, say("and %d more", len(names)-few))
			break
		}
		switch n := any(n).(type) {
		case string:
			short = append(short, say("%s", cleanText(n)))
		case *phrase:
			short = append(short, n)
		}
	}
	return join(", ", short...)
}
