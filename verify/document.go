package verify

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
)

const (
	scopeFull      = "full"
	scopeIntegrity = "integrity"
	scopeSet       = "set"
)

// Document judges every signature of the PDF of size bytes behind r. The
// report is never nil when the error is nil: what is wrong with the document
// stands in the report, and the error is for everything else (a reader that
// fails, a context that ended, options that make no sense). opt may be nil.
//
// r is read from several times, in any order, by the calling goroutine only;
// it must give the same bytes at every read. The file is never held in memory. What is
// held are its cross-reference streams and a few object streams, unpacked up to
// limits (see package pdf), and, when revisions after a signature have to be
// compared, the references to what they change.
func Document(ctx context.Context, r io.ReaderAt, size int64, opt *Options) (*Report, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	opt = opt.withDefaults()
	if err := opt.check(); err != nil {
		return nil, err
	}
	doc := &document{
		src:  &source{r: r, size: size, stop: ctx.Err},
		size: size, opt: opt, lim: opt.Limits,
	}
	report := &Report{Scope: scopeFull, Signatures: []Signature{}}
	if opt.IntegrityOnly {
		report.Scope = scopeIntegrity
	}
	err := doc.check(ctx)
	if again := doc.checkAgain(ctx, err); again != nil {
		doc, err = again, nil
	}
	if doc.src.err != nil {
		return nil, fmt.Errorf("verify: reading the document: %w", doc.src.err)
	}
	if err != nil {
		report.Indication, report.Modification = Unreadable, ModificationNone
		report.because(unreadable(err))
		return report, nil
	}
	for _, c := range doc.list {
		report.Signatures = append(report.Signatures, c.Signature)
	}
	report.conclude()
	return report, nil
}

// document is the state of one call.
type document struct {
	src      *source
	size     int64
	opt      *Options
	lim      *Limits
	f        *pdf.File
	revs     []pdf.Revision
	views    []*pdf.File // the file as it was after each revision, made when needed
	trailing *phrase     // what is wrong with the bytes after the last revision
	list     []*candidate
	objects  int   // read for comparisons so far
	compared int64 // bytes of streams compared so far
	kept     map[keptKey]keptObject
	decoded  int            // bytes of the DSS so far
	tree     int            // entries of structure trees so far
	pages    map[uint32]int // numbers of the first pages, when needed
	newest   catalogAt      // of the revision compared last
	proofs   *proofs
	store    *trustStore
	certs    []*x509.Certificate // of the DSS
	dssRead  bool

	repaired

	certsSince []int          // the revisions from which on certs stand there
	defined    map[uint32]int // the last revisions that define objects, but for the first; when needed
}

// check runs all steps; an error means that the document is not readable.
func (d *document) check(ctx context.Context) error {
	if err := d.open(); err != nil {
		return err
	}
	if err := d.collect(); err != nil {
		return err
	}
	if again, err := d.split(); err != nil {
		return err
	} else if again {
		if err := d.collect(); err != nil {
			return err
		}
	}
	if len(d.list) == 0 {
		return nil
	}
	if err := d.frame(ctx); err != nil {
		return err
	}
	if err := d.digest(ctx); err != nil {
		return err
	}
	if err := d.each(ctx, d.checkCrypto); err != nil {
		return err
	}
	if err := d.compare(ctx); err != nil {
		return err
	}
	d.prove()
	if err := d.consult(ctx); err != nil {
		return err
	}
	return d.each(ctx, d.judge)
}

// each does something for every signature while the context lasts.
func (d *document) each(ctx context.Context, do func(*candidate)) error {
	for _, c := range d.list {
		if err := ctx.Err(); err != nil {
			d.src.err = err
			return err
		}
		do(c)
	}
	return nil
}

// checkCrypto verifies the signature and its timestamps over what was hashed.
func (d *document) checkCrypto(c *candidate) {
	if c.job != nil && c.job.sum != nil {
		c.checkValue(c.job.sum, d.dssCerts)
	}
	if c.intact && c.si != nil && c.subFilter != subRFC3161 {
		c.signatureTimestamps(d)
	}
}

func (d *document) open() error {
	f, err := pdf.Open(d.src, d.size, &pdf.Options{Password: d.opt.Password, Repair: d.how})
	if err != nil {
		return err
	}
	if d.damaged = f.Repaired(); d.how != pdf.RepairNever && d.damaged == nil {
		return errRegular
	}
	if _, err := f.Encryption(); err != nil {
		return locked(err)
	}
	revs, err := f.Revisions()
	if err != nil {
		return err
	}
	if len(revs) == 0 {
		return say("the document has no complete revision")
	}
	if len(revs) > d.lim.Revisions {
		return say("the document has more than %d revisions", d.lim.Revisions)
	}
	d.f, d.revs, d.views = f, revs, make([]*pdf.File, len(revs))
	d.views[len(revs)-1] = f
	white, err := whiteBetween(d.src, revs[len(revs)-1].End, d.size)
	if err != nil {
		return err
	}
	if d.size-revs[len(revs)-1].End > trailingWhite {
		d.trailing = say("so much follows the end of the last revision that readers do not find it")
	}
	if !white {
		d.trailing = say("bytes that belong to no revision follow its end at byte %d", revs[len(revs)-1].End)
	}
	return nil
}

// locked says why nothing is judged of a document that cannot be decrypted: what
// its strings and streams hold, and so what a signature covers, nobody can tell.
func locked(err error) error {
	if errors.Is(err, pdf.ErrEncrypted) {
		return say("the document is encrypted: the password is missing or wrong")
	}
	return say("the document is encrypted and cannot be decrypted: %v", err)
}

// view returns the file as it was after revision i.
func (d *document) view(i int) (*pdf.File, error) {
	if d.views[i] == nil {
		k := i
		if d.sealed != nil { // which is revision 0 here and none of the file
			k--
		}
		v, err := d.f.At(k)
		if err != nil {
			return nil, err
		}
		d.views[i] = v
	}
	return d.views[i], nil
}

// revisionEndingAt returns the index of the revision that ends at the offset,
// or -1. White space after %%EOF may be in or out of the range, and a range to
// the end of the file covers whatever there is.
func (d *document) revisionEndingAt(end int64) (int, error) {
	last := len(d.revs) - 1
	if end >= d.revs[last].End {
		white, err := whiteBetween(d.src, d.revs[last].End, end)
		if err != nil || !white && end != d.size {
			return -1, err
		}
		return last, nil
	}
	i, _ := slices.BinarySearchFunc(d.revs, end, func(r pdf.Revision, end int64) int {
		switch {
		case r.End < end:
			return -1
		case r.End > end:
			return 1
		}
		return 0
	})
	if d.revs[i].End == end {
		return i, nil
	}
	ok, err := d.endsAt(d.revs[i], end)
	if err != nil || !ok {
		return -1, err
	}
	return i, nil
}

// endsAt tells whether only white space lies between end and the end of the
// revision, and %%EOF before.
func (d *document) endsAt(rev pdf.Revision, end int64) (bool, error) {
	const marker = "%%EOF"
	white, err := whiteBetween(d.src, end, rev.End)
	if err != nil || !white || end < rev.Start+int64(len(marker)) {
		return false, err
	}
	b := make([]byte, min(64, end-rev.Start))
	if err := readFull(d.src, b, end-int64(len(b))); err != nil {
		return false, err
	}
	for len(b) > 0 && isWhite(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return len(b) >= len(marker) && string(b[len(b)-len(marker):]) == marker, nil
}

// frame checks the structure of every signature and puts them in order.
func (d *document) frame(ctx context.Context) error {
	for _, c := range d.list {
		if err := ctx.Err(); err != nil {
			d.src.err = err
			return err
		}
		if err := c.locate(d); err != nil {
			return err
		}
	}
	slices.SortStableFunc(d.list, func(a, b *candidate) int {
		switch {
		case a.order(d) < b.order(d):
			return -1
		case a.order(d) > b.order(d):
			return 1
		}
		return 0
	})
	return nil
}

// order is the place of a signature in the list; those without a revision
// come last.
func (c *candidate) order(d *document) int {
	if c.revision < 0 {
		return len(d.revs)
	}
	return c.revision
}

// digest hashes for all signatures in one pass over the file.
func (d *document) digest(ctx context.Context) error {
	var jobs []*digestJob
	solo := 0
	byRevision := map[int]*candidate{}
	for _, c := range d.list {
		if !c.placed || !c.container(d.lim) {
			continue
		}
		if other := byRevision[c.revision]; other != nil {
			why := say("two signatures claim the same revision: their ranges overlap")
			other.job = nil
			if !other.failed() {
				other.fail(FormatFailure, why)
			}
			c.fail(FormatFailure, why)
			continue
		}
		byRevision[c.revision] = c
		if c.hash == cms.Digest(crypto.RIPEMD160) {
			if solo++; solo > soloJobs {
				c.doubt(CryptoConstraintsFailure, say("too many signatures use an outdated hash function"))
				continue
			}
		}
		c.job = &digestJob{alg: c.hash, gapStart: c.rng.gap.Start, gapEnd: c.rng.gap.End, end: c.rng.end}
	}
	for _, c := range d.list {
		if c.job != nil {
			jobs = append(jobs, c.job)
		}
		if j := d.olderJob(c); j != nil {
			c.before, jobs = j, append(jobs, j)
		}
	}
	jobs = append(jobs, d.claims()...)
	err := digests(ctx, d.src, jobs)
	if err != nil && d.src.err == nil {
		d.src.err = err
	}
	return err
}

// stopped tells whether the caller's context has ended, or reading has failed.
// It is asked between steps that take up to some tens of milliseconds.
func (d *document) stopped() bool {
	if d.src.err == nil {
		d.src.err = d.src.stop()
	}
	return d.src.err != nil
}

// judge sets trust and the stamp against what the earlier steps found, and
// gives the verdict. Only a complete proof is TOTAL-PASSED.
func (d *document) judge(c *candidate) {
	trusted := d.opt.IntegrityOnly
	if c.intact && !d.opt.IntegrityOnly {
		trusted = d.trusted(c)
	}
	stamped := d.judgeStamp(c)
	d.judgeRepaired(c)
	switch {
	case c.Indication == TotalFailed || c.Indication == Indeterminate:
	case c.intact && c.placed && c.compared && trusted && stamped && c.Modification != ModificationFailed:
		c.Indication, c.SubIndication = TotalPassed, ""
	default:
		c.doubt(SigConstraintsFailure, say("not every check could be made"))
	}
	c.trim(d.lim.Reasons)
}

// trusted judges the signing certificate for the time at which the signature is
// proved to have existed (EN 319 102-1, 5.3, 5.5 and 5.6).
func (d *document) trusted(c *candidate) bool {
	if d.outdated(c.outmoded(), d.provenFor(c)) {
		c.doubt(CryptoConstraintsFailure, say("the algorithms of this signature are no longer safe"))
	}
	if c.deviates {
		c.doubt(SigConstraintsFailure, say("fields of the signature contradict each other"))
	}
	if c.cert == nil {
		c.doubt(NoSigningCertificateFound, say("the certificate of the signer is not in the document"))
		return false
	}
	if c.subFilter == subCAdES && !hasSigned(c.si, oidSigningCert, oidSigningCertV2) {
		c.doubt(SigConstraintsFailure, say("the signature does not bind its certificate (signing-certificate-v2)"))
	}
	c.evaluate(d)
	c.chain = c.result.chain
	if c.result.sub != "" {
		c.doubt(c.result.sub, c.result.why)
		return false
	}
	if c.placed && c.revision <= d.proofs.disorder {
		c.doubt(TimestampOrderFailure, say("timestamps over this signature contradict each other: an earlier one names a later time"))
		return false
	}
	return true
}

// trust returns what the call may use to judge certificates, reading the
// document's own validation data once.
func (d *document) trust() *trustStore {
	if d.store == nil {
		d.store = &trustStore{opt: d.opt, proofs: d.proofs, rev: newRevocations(d.opt, d.proofs), stopped: d.stopped}
		d.store.pool = d.dssCerts()
		d.store.register = d.registerCertificates
		d.dssRevocations()
		for _, c := range d.list {
			if d.stopped() {
				break
			}
			d.store.fromSignature(c)
		}
	}
	return d.store
}
