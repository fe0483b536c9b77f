package verify_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/ltv"
	"github.com/seed-574216e4/meterai/sign/tsa"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
	"github.com/seed-574216e4/meterai/verify"
)

// begun is when the documents of these tests are signed.
var begun = time.Date(2031, 1, 10, 9, 0, 0, 0, time.UTC)

func years(n float64) time.Time { return begun.Add(time.Duration(n * 365 * 24 * float64(time.Hour))) }

// An era is a specimen PKI with its services, whose clock is moved over years.
type era struct {
	t       testing.TB
	pki     *pki.PKI
	dir     string
	url     string
	clock   time.Time
	service atomic.Pointer[pkiserver.Service]
}

// newEra begins a PKI. OCSP is off: its answers carry the time of the machine,
// and lists serve as well.
func newEra(t testing.TB, name string, at time.Time) *era {
	t.Helper()
	e := &era{t: t, dir: t.TempDir()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.service.Load().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	e.url = server.URL
	p, err := pki.New(&pki.Options{Now: at, Name: name, URL: e.url})
	require.NoError(t, err)
	require.NoError(t, p.Write(e.dir))
	return e.move(at)
}

// move sets the clock; lists are made anew.
func (e *era) move(at time.Time) *era {
	e.t.Helper()
	p, err := pki.Load(e.dir, &pki.Options{Now: at, URL: e.url})
	require.NoError(e.t, err)
	require.NoError(e.t, p.Refresh())
	s, err := pkiserver.New(p, nil)
	require.NoError(e.t, err)
	s.SetFault("/ocsp", pkiserver.Fault{HTTPStatus: http.StatusNotFound})
	e.pki, e.clock = p, at
	e.service.Store(s)
	return e
}

// newAuthority puts a new certificate into the timestamp service.
func (e *era) newAuthority() *era {
	e.t.Helper()
	id, err := e.pki.Issue(&pki.Request{CommonName: "Newer Timestamp Authority", Use: pki.Timestamping, Key: pki.P256})
	require.NoError(e.t, err)
	e.service.Load().SetFault("/tsa", pkiserver.Fault{Signer: &id})
	return e
}

func (e *era) now() time.Time { return e.clock }

func (e *era) stamps() tsa.Timestamper {
	c, err := tsa.New(&tsa.Options{HTTP: &http.Client{}, Servers: []tsa.Server{{URL: e.url + "/tsa"}}, Now: e.now})
	require.NoError(e.t, err)
	return c
}

func (e *era) data(roots ...*x509.Certificate) sign.Gatherer {
	c, err := ltv.New(&ltv.Options{HTTP: &http.Client{}, Certificates: append(roots, e.pki.Root.Cert), Now: e.now})
	require.NoError(e.t, err)
	return c
}

func extend(t testing.TB, doc []byte, data sign.Gatherer, stamps tsa.Timestamper) []byte {
	t.Helper()
	update, _, err := sign.Extend(t.Context(), bytes.NewReader(doc), int64(len(doc)), &sign.ExtendOptions{Data: data, Timestamp: stamps})
	require.NoError(t, err)
	return append(bytes.Clone(doc), update...)
}

// byTSA gives the job of a signature a timestamp of that authority.
func byTSA(t testing.TB, id pki.Identity, at time.Time) func([]byte) *cms.Attribute {
	return func(value []byte) *cms.Attribute {
		sum := sha256.Sum256(value)
		return &cms.Attribute{Type: cms.TimestampToken(), Values: [][]byte{newWorld(t).token(t, id, sum[:], at)}}
	}
}

// signed is a document with the e-seal of the era, timestamped or not.
func (e *era) signed(timestamped bool) []byte {
	e.t.Helper()
	j := job{id: e.pki.StampP256}
	if timestamped {
		j.unsigned = byTSA(e.t, e.pki.TSA, e.clock)
	}
	return newWorld(e.t).sign(e.t, plain("agreement", 1, 0), j)
}

// asOf are options that trust the roots of the eras at a time, with the current
// lists of the last.
func asOf(at time.Time, eras ...*era) *verify.Options {
	opt := &verify.Options{Roots: x509.NewCertPool(), Time: at}
	for _, e := range eras {
		opt.Roots.AddCert(e.pki.Root.Cert)
	}
	opt.CRLs = eras[len(eras)-1].move(at).pki.RevocationLists()
	return opt
}

func requireLevel(t testing.TB, level string, r *verify.Report) *verify.Signature {
	t.Helper()
	require.Equal(t, level, r.Signatures[0].Level, r.Text())
	return &r.Signatures[0]
}

// TestLevels: what Extend makes is called what it is.
func TestLevels(t *testing.T) {
	e := newEra(t, "A", begun)
	opt := asOf(begun, e)
	bare, stamped := e.signed(false), e.signed(true)
	later := begun.Add(time.Hour)
	for _, c := range []struct {
		name  string
		doc   func() []byte
		level string
		at    *time.Time
	}{
		{"nothing", func() []byte { return bare }, "B-B", nil},
		{"data alone", func() []byte { return extend(t, bare, e.data(), nil) }, "B-B", nil},
		{"timestamp", func() []byte { return stamped }, "B-T", &begun},
		{"timestamp that was owed", func() []byte { return extend(t, bare, nil, e.stamps()) }, "B-T", &later},
		{"both timestamps", func() []byte { return extend(t, stamped, nil, e.stamps()) }, "B-T", &begun},
		{"data", func() []byte { return extend(t, stamped, e.data(), nil) }, "B-LT", &begun},
		{"data after the owed timestamp", func() []byte { return extend(t, extend(t, bare, nil, e.stamps()), e.data(), nil) }, "B-LT", &later},
		{"all", func() []byte { return extend(t, stamped, e.data(), e.stamps()) }, "B-LTA", &begun},
		{"all that was owed", func() []byte { return extend(t, bare, e.data(), e.stamps()) }, "B-LTA", &later},
	} {
		t.Run(c.name, func(t *testing.T) {
			e.move(later)
			r := check(t, c.doc(), with(opt, func(o *verify.Options) { o.Time, o.CRLs = later, e.pki.RevocationLists() }))
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			s := requireLevel(t, c.level, r)
			if c.at == nil {
				require.Nil(t, s.Timestamp)
				return
			}
			require.True(t, c.at.Equal(*s.Timestamp), "%s: %s", c.at, r.Text())
			require.Contains(t, r.Text(), "level         "+c.level)
			if len(r.Signatures) > 1 {
				require.Equal(t, "timestamp", r.Signatures[1].Level)
			}
		})
	}
	t.Run("integrity", func(t *testing.T) {
		r := check(t, extend(t, bare, e.data(), e.stamps()), &verify.Options{IntegrityOnly: true})
		requireLevel(t, "B-T", r)
	})
}

// renewed is a document that was signed at the beginning and renewed in the years
// 2.5, 5 and 7.5, with two certificates of each of two PKIs; ends holds its
// length after each.
func renewed(t *testing.T, timestamped bool) (doc []byte, ends []int, a, b *era) {
	t.Helper()
	a = newEra(t, "A", begun)
	doc = extend(t, a.signed(timestamped), a.data(), a.stamps())
	ends = append(ends, len(doc))
	a.move(years(2.5)).newAuthority()
	doc = extend(t, doc, a.data(), a.stamps())
	ends = append(ends, len(doc))
	a.move(years(5))
	b = newEra(t, "B", years(5))
	doc = extend(t, doc, b.move(years(5)).data(a.pki.Root.Cert), b.stamps())
	ends = append(ends, len(doc))
	a.move(years(7.5))
	b.move(years(7.5)).newAuthority()
	doc = extend(t, doc, b.data(a.pki.Root.Cert), b.stamps())
	return doc, append(ends, len(doc)), a, b
}

// TestRenewedForYears: what was renewed in time is good when every certificate of
// its beginning, the root included, has expired; what lost a renewal is not.
func TestRenewedForYears(t *testing.T) {
	for _, timestamped := range []bool{true, false} {
		doc, ends, a, b := renewed(t, timestamped)
		for _, at := range []float64{7.6, 8.5, 10.4} {
			r := check(t, doc, asOf(years(at), a, b))
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			s := requireLevel(t, "B-LTA", r)
			require.True(t, begun.Equal(*s.Timestamp), r.Text())
			require.Len(t, r.Signatures, 5)
		}
		r := check(t, doc, asOf(years(10.6), a, b))
		requireSub(t, verify.OutOfBoundsNoPOE, r)
		requireLevel(t, "B-B", r)

		for i, end := range ends[:3] {
			r := check(t, doc[:end], asOf(years(8.4), a, b))
			requireSub(t, verify.OutOfBoundsNoPOE, r)
			require.Equal(t, verify.Indeterminate, r.Signatures[0].Indication, "renewal %d was stripped: %s", i+1, r.Text())
		}
		for i, at := range []float64{0.1, 2.6, 5.1} {
			last := a
			if at > 5 {
				last = b
			}
			r := check(t, doc[:ends[i]], asOf(years(at), b, a, last))
			require.Equal(t, verify.TotalPassed, r.Indication, "%v: %s", at, r.Text())
		}
	}
}

// A signature that got its timestamp, but no validation data, ends with its
// certificates; and data that come after that help nobody.
func TestNoValidationData(t *testing.T) {
	a := newEra(t, "A", begun)
	doc := a.signed(true)
	r := check(t, doc, asOf(years(1), a))
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	requireSub(t, verify.OutOfBoundsNoPOE, check(t, doc, asOf(years(3.5), a)))
	late := extend(t, doc, a.move(years(3.5)).data(), nil)
	requireSub(t, verify.OutOfBoundsNoPOE, check(t, late, asOf(years(3.5), a)))
	late = extend(t, doc, a.move(years(3.5)).data(), a.newAuthority().stamps())
	requireSub(t, verify.OutOfBoundsNoPOE, check(t, late, asOf(years(3.6), a)))
}

// A revocation counts when it is older than what proves that the signature is.
func TestRevokedInTheYearsAfter(t *testing.T) {
	a := newEra(t, "A", begun)
	doc := extend(t, a.signed(true), a.data(), a.stamps())
	owed := extend(t, a.signed(false), nil, a.move(begun.AddDate(0, 2, 0)).stamps())
	for _, c := range []struct {
		name string
		doc  []byte
		at   time.Time
		sub  verify.SubIndication
	}{
		{"after the timestamp", doc, begun.AddDate(0, 1, 0), ""},
		{"a minute after", doc, begun.Add(time.Minute), ""},
		{"before the timestamp", doc, begun.Add(-time.Minute), verify.RevokedNoPOE},
		{"before the one that was owed", owed, begun.AddDate(0, 1, 0), verify.RevokedNoPOE},
		{"after the one that was owed", owed, begun.AddDate(0, 3, 0), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := asOf(years(1), a)
			require.NoError(t, a.pki.Revoke(a.pki.StampP256.Cert, pki.KeyCompromise, c.at))
			opt.CRLs = a.pki.RevocationLists()
			requireSub(t, c.sub, check(t, c.doc, opt))
		})
	}
}

// dssWith appends a security store.
func dssWith(t testing.TB, doc []byte, certs []*x509.Certificate, lists ...*x509.RevocationList) []byte {
	t.Helper()
	return update(t, doc, func(u *pdf.Update, f *pdf.File) {
		var crls, all pdf.Array
		for _, l := range lists {
			crls = append(crls, u.Add(&pdf.Stream{Dict: pdf.Dict{}, Data: l.Raw}))
		}
		for _, c := range certs {
			all = append(all, u.Add(&pdf.Stream{Dict: pdf.Dict{}, Data: c.Raw}))
		}
		catalog, err := f.Catalog()
		require.NoError(t, err)
		old, err := f.Dict(catalog["DSS"])
		require.NoError(t, err)
		was, err := f.Array(old["CRLs"])
		require.NoError(t, err)
		had, err := f.Array(old["Certs"])
		require.NoError(t, err)
		catalogWith(t, u, f, pdf.Dict{"DSS": u.Add(pdf.Dict{"CRLs": append(was, crls...), "Certs": append(had, all...)})})
	})
}

// archive appends a document timestamp.
func archive(t testing.TB, doc []byte, id pki.Identity, at time.Time, change func(*job)) []byte {
	t.Helper()
	j := job{field: "Archive" + at.Format("20060102"), subFilter: "ETSI.RFC3161", id: id, at: at}
	if change != nil {
		change(&j)
	}
	return newWorld(t).sign(t, doc, j)
}

// lasts makes a certificate last for years around the beginning.
func lasts(tmpl *x509.Certificate, n float64) *x509.Certificate {
	tmpl.NotBefore, tmpl.NotAfter = begun.AddDate(-1, 0, 0), years(n)
	return tmpl
}

// A house is a root and a timestamp authority that last for long, and an issuing
// authority and a signer that do not.
type house struct {
	root, issuing, signer, stamps *ca
	opt                           *verify.Options
}

func newHouse(t testing.TB) *house {
	h := &house{root: (*ca)(nil).issue(t, lasts(authority("root"), 30), nil)}
	h.issuing = h.root.issue(t, lasts(authority("issuing"), 5), nil)
	h.signer = h.issuing.issue(t, lasts(signer("s"), 3), nil)
	h.stamps = h.root.tsa(t, func(c *x509.Certificate) { lasts(c, 25) })
	pool := x509.NewCertPool()
	pool.AddCert(h.root.cert)
	h.opt = &verify.Options{Roots: pool, Time: years(9), CRLs: []*x509.RevocationList{h.root.listAt(t, years(9))}}
	return h
}

// listAt is a list made at a time, for a month.
func (a *ca) listAt(t testing.TB, at time.Time) *x509.RevocationList {
	return a.list(t, func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = at, at.AddDate(0, 1, 0) })
}

func (h *house) tsa() pki.Identity { return h.stamps.identity(h.root.cert) }

func (h *house) signed(t testing.TB) []byte {
	return newWorld(t).sign(t, plain("x", 1, 0), job{id: h.signer.identity(h.issuing.cert), unsigned: byTSA(t, h.tsa(), begun)})
}

// Somebody who has the key of an authority that has expired makes lists of any
// date with it. Only a timestamp from its lifetime tells the genuine ones.
func TestAttackBackdatedList(t *testing.T) {
	h := newHouse(t)
	day := begun.AddDate(0, 0, 1)
	genuine := []*x509.RevocationList{h.root.listAt(t, day), h.issuing.listAt(t, day)}
	stored := dssWith(t, h.signed(t), nil, genuine...)
	proved := archive(t, stored, h.tsa(), years(4), nil)
	other := archive(t, dssWith(t, h.signed(t), nil, genuine[0], h.root.listAt(t, day.Add(time.Hour))), h.tsa(), years(4), nil)
	for _, c := range []struct {
		name  string
		doc   []byte
		sub   verify.SubIndication
		level string
	}{
		{"timestamp in its lifetime", proved, "", "B-LTA"},
		{"no timestamp", stored, verify.NoPOE, "B-LT"},
		{"timestamp when it had expired", archive(t, stored, h.tsa(), years(6), nil), verify.NoPOE, "B-LTA"},
		{"timestamp before it", dssWith(t, archive(t, h.signed(t), h.tsa(), years(1), nil), nil, genuine...), verify.NoPOE, "B-LT"},
		{"list in the place of one that was proved", rewritten(t, other, h.issuing.listAt(t, day)), verify.NoPOE, "B-LT"},
		{"store that was dropped later", dssWith(t, rewritten(t, proved, h.root.listAt(t, years(5))), nil), "", "B-LTA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := check(t, c.doc, h.opt)
			requireLevel(t, c.level, r)
			if c.sub == "" {
				require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
				return
			}
			require.Equal(t, c.sub, r.Signatures[0].SubIndication, r.Text())
			require.Equal(t, verify.Indeterminate, r.Signatures[0].Indication, r.Text())
		})
	}
}

// rewritten gives the object of the last list of the store other data, as if the
// timestamp over the first had covered them.
func rewritten(t testing.TB, doc []byte, l *x509.RevocationList) []byte {
	t.Helper()
	return update(t, doc, func(u *pdf.Update, f *pdf.File) {
		catalog, err := f.Catalog()
		require.NoError(t, err)
		dss, err := f.Dict(catalog["DSS"])
		require.NoError(t, err)
		crls, err := f.Array(dss["CRLs"])
		require.NoError(t, err)
		u.Set(crls[len(crls)-1].(pdf.Ref), &pdf.Stream{Dict: pdf.Dict{}, Data: l.Raw})
	})
}

// Somebody who has the key of an authority that has expired certifies a namesake
// with it, whose signature and list were proved to exist long before.
func TestAttackBackdatedAuthority(t *testing.T) {
	h := newHouse(t)
	key, day := newKey(t), begun.AddDate(0, 0, 1)
	self := (*ca)(nil).issue(t, lasts(authority("middle"), 5), key) // what the attacker begins with
	s := self.issue(t, lasts(signer("s"), 3), nil)
	doc := newWorld(t).sign(t, plain("x", 1, 0), job{id: s.identity(), unsigned: byTSA(t, h.tsa(), begun)})
	doc = dssWith(t, doc, []*x509.Certificate{h.issuing.cert}, h.root.listAt(t, day), h.issuing.listAt(t, day), self.listAt(t, day))
	doc = archive(t, doc, h.tsa(), years(1), nil)
	require.Equal(t, verify.NoCertificateChainFound, check(t, doc, h.opt).Signatures[0].SubIndication)
	middle := h.issuing.issue(t, lasts(authority("middle"), 5), key)
	late := dssWith(t, doc, []*x509.Certificate{middle.cert})
	require.Equal(t, verify.NoPOE, check(t, late, h.opt).Signatures[0].SubIndication, "certified when the authority had expired")

	honest := newWorld(t).sign(t, plain("x", 1, 0), job{id: s.identity(middle.cert, h.issuing.cert), unsigned: byTSA(t, h.tsa(), begun)})
	honest = dssWith(t, honest, nil, h.root.listAt(t, day), h.issuing.listAt(t, day), self.listAt(t, day))
	requireSub(t, "", check(t, archive(t, honest, h.tsa(), years(1), nil), h.opt))
}

// What is no proof: each of these document timestamps stands where the one that
// holds everything up should be.
func TestAttackTimestampsThatProveNothing(t *testing.T) {
	h := newHouse(t)
	day := begun.AddDate(0, 0, 1)
	stored := dssWith(t, h.signed(t), nil, h.root.listAt(t, day), h.issuing.listAt(t, day))
	stranger := (*ca)(nil).issue(t, lasts(authority("root"), 30), nil)
	for _, c := range []struct {
		name   string
		id     pki.Identity
		change func(*job)
		ind    verify.Indication
		sub    verify.SubIndication // of the timestamp
	}{
		{"over something else", h.tsa(), func(j *job) {
			j.cms = func([]byte) []byte { return newWorld(t).token(t, h.tsa(), make([]byte, 32), years(4)) }
		}, verify.TotalFailed, verify.HashFailure},
		{"of an untrusted authority", stranger.tsa(t, func(c *x509.Certificate) { lasts(c, 25) }).identity(stranger.cert), nil,
			verify.Indeterminate, verify.NoCertificateChainFound},
		{"of the signer", h.signer.identity(h.issuing.cert), nil, verify.Indeterminate, verify.OutOfBoundsNoPOE},
		{"that leaves bytes out", h.tsa(), func(j *job) {
			j.byteRange = func(v [4]int64) string { return rangeText(v[0], v[1]-50, v[2], v[3]) }
		}, verify.TotalFailed, verify.FormatFailure},
		{"that leaves the first bytes out", h.tsa(), func(j *job) {
			j.byteRange = func(v [4]int64) string { return rangeText(9, v[1]-9, v[2], v[3]) }
		}, verify.TotalFailed, verify.FormatFailure},
		{"that leaves the end out", h.tsa(), func(j *job) {
			j.byteRange = func(v [4]int64) string { return rangeText(v[0], v[1], v[2], v[3]-9) }
		}, verify.TotalFailed, verify.FormatFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := check(t, archive(t, stored, c.id, years(4), c.change), h.opt)
			require.Equal(t, c.ind, r.Signatures[1].Indication, r.Text())
			require.Equal(t, c.sub, r.Signatures[1].SubIndication, r.Text())
			require.Equal(t, verify.NoPOE, r.Signatures[0].SubIndication, r.Text())
			require.Equal(t, "B-LT", r.Signatures[0].Level, r.Text())
		})
	}
}

// Timestamps over each other whose times run backwards contradict each other.
func TestAttackSwappedTimestamps(t *testing.T) {
	h := newHouse(t)
	day := begun.AddDate(0, 0, 1)
	stored := dssWith(t, h.signed(t), nil, h.root.listAt(t, day), h.issuing.listAt(t, day))
	good := archive(t, archive(t, stored, h.tsa(), years(3), nil), h.tsa(), years(4), nil)
	r := check(t, good, h.opt)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	swapped := archive(t, archive(t, stored, h.tsa(), years(4), nil), h.tsa(), years(3), nil)
	r = check(t, swapped, h.opt)
	for _, s := range r.Signatures {
		require.Equal(t, verify.TimestampOrderFailure, s.SubIndication, r.Text())
	}
	r = check(t, archive(t, stored, h.tsa(), begun.AddDate(0, -1, 0), nil), h.opt)
	for _, s := range r.Signatures {
		require.Equal(t, verify.TimestampOrderFailure, s.SubIndication, "older than the timestamp in the signature: %s", r.Text())
	}
	// Who is no authority cannot spoil what authorities say.
	stranger := (*ca)(nil).issue(t, lasts(authority("other"), 30), nil).tsa(t, func(c *x509.Certificate) { lasts(c, 25) })
	r = check(t, archive(t, archive(t, stored, stranger.identity(), years(8), nil), h.tsa(), years(4), nil), h.opt)
	require.Equal(t, verify.TotalPassed, r.Signatures[0].Indication, r.Text())
	require.Equal(t, verify.NoCertificateChainFound, r.Signatures[1].SubIndication, r.Text())
}

// A timestamp from before the certificate was valid makes the signature one of
// another time.
func TestNotYetValid(t *testing.T) {
	h := newHouse(t)
	doc := newWorld(t).sign(t, plain("x", 1, 0), job{id: h.signer.identity(h.issuing.cert), unsigned: byTSA(t, h.tsa(), begun)})
	early := h.issuing.issue(t, func() *x509.Certificate {
		c := lasts(signer("s"), 3)
		c.NotBefore = begun.AddDate(0, 1, 0)
		return c
	}(), nil)
	opt := with(h.opt, func(o *verify.Options) {
		o.Time = years(1)
		o.CRLs = []*x509.RevocationList{h.root.listAt(t, years(1)), h.issuing.listAt(t, years(1))}
	})
	requireSub(t, "", check(t, doc, opt))
	doc = newWorld(t).sign(t, plain("x", 1, 0), job{id: early.identity(h.issuing.cert), unsigned: byTSA(t, h.tsa(), begun)})
	requireSub(t, verify.NotYetValid, check(t, doc, opt))
}

func rangeText(v ...int64) string {
	return fmt.Sprintf("%d", v)
}
