package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
)

// listSigner is a list key of the tests.
func listSigner(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func keyOf(t testing.TB, signer crypto.Signer) *seal.Key {
	t.Helper()
	k, err := seal.NewKey(signer.Public())
	require.NoError(t, err)
	return k
}

// published signs a list of today.
func published(t testing.TB, signer crypto.Signer, change func(*verify.StatusListDraft)) []byte {
	t.Helper()
	d := &verify.StatusListDraft{Number: 7, Issued: now.Add(-time.Hour), NextUpdate: now.Add(23 * time.Hour), Specimen: true}
	if change != nil {
		change(d)
	}
	b, err := d.Sign(signer)
	require.NoError(t, err)
	return b
}

// listTrust is a trust list whose entry lets the list key 1 speak.
func listTrust(t testing.TB, w *world, change func(*verify.SealTrustEntry)) *verify.SealTrust {
	t.Helper()
	e := entryFor(w.pki.SealP256, w.pki.Issuing.Cert)
	e.ListKeys = []string{base64.StdEncoding.EncodeToString(keyOf(t, listSigner(1)).SPKI())}
	if change != nil {
		change(&e)
	}
	trust, err := verify.NewSealTrust(e)
	require.NoError(t, err)
	return trust
}

func parsed(t testing.TB, b []byte, trust *verify.SealTrust) *verify.StatusList {
	t.Helper()
	l, err := verify.ParseStatusList(b, trust)
	require.NoError(t, err)
	return l
}

func voiding(numbers ...serial.Number) func(*verify.StatusListDraft) {
	return func(d *verify.StatusListDraft) { d.Void = numbers }
}

// A serial that the issuer has published as void makes no good stamp, in a document
// or on paper; one that is not on a current list is said to be so.
func TestVoidSerial(t *testing.T) {
	w := newWorld(t)
	trust := listTrust(t, w, nil)
	doc, one, two := w.stamped(t), serialNumber(t, 1), serialNumber(t, 2)
	text := sealText(t, w, one)
	for _, c := range []struct {
		name   string
		lists  []func(*verify.StatusListDraft)
		at     time.Time
		ind    verify.Indication
		status verify.SerialStatus
		says   string
	}{
		{"no list", nil, now, verify.TotalPassed, "", ""},
		{"not on it", []func(*verify.StatusListDraft){voiding(two)}, now, verify.TotalPassed, verify.StatusNotListed, ""},
		{"void", []func(*verify.StatusListDraft){voiding(two, one)}, now, verify.TotalFailed, verify.StatusVoid, "published list 7"},
		{"void on the older of two", []func(*verify.StatusListDraft){voiding(), voiding(one)}, now, verify.TotalFailed, verify.StatusVoid, "is void"},
		{"void on a stale list", []func(*verify.StatusListDraft){voiding(one)}, now.AddDate(0, 0, 2), verify.TotalFailed, verify.StatusVoid, "is void"},
		{"stale", []func(*verify.StatusListDraft){voiding(two)}, now.AddDate(0, 0, 2), verify.TotalPassed, "", "published list 7 is stale: the next one was due at 2026-09-05T07:00:00Z"},
		{"newer than the time of checking", []func(*verify.StatusListDraft){func(d *verify.StatusListDraft) {
			d.Issued, d.NextUpdate = now.AddDate(1, 0, 0), now.AddDate(1, 0, 1)
		}}, now, verify.TotalPassed, verify.StatusNotListed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := with(w.opt, func(o *verify.Options) {
				o.SealTrust, o.Time, o.Lists = trust, c.at, []*verify.StatusList{nil}
				for _, change := range c.lists {
					o.Lists = append(o.Lists, parsed(t, published(t, listSigner(1), change), trust))
				}
			})
			r := check(t, doc, opt)
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Equal(t, c.status, r.Signatures[0].Stamp.Status)
			require.Equal(t, c.ind == verify.TotalPassed, r.Signatures[0].Stamp.Genuine)
			require.Contains(t, r.Text(), c.says)

			s, err := verify.Seal(text, opt)
			require.NoError(t, err)
			require.Equal(t, c.status, s.Status)
			require.Equal(t, c.ind == verify.TotalPassed, s.Genuine, s.Text())
			require.Contains(t, s.Text(), c.says)
			if c.ind == verify.TotalFailed {
				require.Equal(t, verify.Revoked, r.SubIndication)
				require.Equal(t, verify.TotalFailed, s.Indication)
				require.Equal(t, verify.Revoked, s.SubIndication)
			}

			opt.RequireStatus = true
			r = check(t, doc, opt)
			if c.status == "" {
				requireSub(t, verify.TryLater, r)
			} else {
				require.Equal(t, c.ind, r.Indication, r.Text())
			}
			opt.IntegrityOnly = true
			require.Equal(t, verify.TotalPassed, check(t, doc, opt).Indication, "lists are a matter of trust")
		})
	}
}

// TestStatusOfAPrintedSeal: with its document at hand a seal passes, and what is to be
// said of its serial is still said.
func TestStatusOfAPrintedSeal(t *testing.T) {
	w := newWorld(t)
	trust := listTrust(t, w, nil)
	doc, text := plain("agreement", 2, 0), sealText(t, w, serialNumber(t, 1))
	ask := func(change func(*verify.StatusListDraft)) *verify.SealReport {
		opt := with(w.opt, func(o *verify.Options) {
			o.SealTrust, o.Time, o.Lists = trust, now.AddDate(0, 0, 3), []*verify.StatusList{parsed(t, published(t, listSigner(1), change), trust)}
		})
		r, err := verify.SealForDocument(t.Context(), text, bytes.NewReader(doc), int64(len(doc)), opt)
		require.NoError(t, err)
		require.True(t, r.DocumentBound)
		return r
	}
	r := ask(nil)
	require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
	require.Len(t, r.Reasons, 1)
	require.Contains(t, r.Reasons[0], "is stale")
	r = ask(voiding(serialNumber(t, 1)))
	require.Equal(t, verify.TotalFailed, r.Indication, r.Text())
	require.False(t, r.Genuine)
	require.Contains(t, r.Statement, "but the serial is void")
}

func sealText(t testing.TB, w *world, n serial.Number) string {
	t.Helper()
	text, err := seal.Text("", w.seal(t, plain("agreement", 2, 0), &stampJob{number: n}))
	require.NoError(t, err)
	return text
}

// Nobody voids the stamps of another issuer, and a list key does not let the seal
// key speak.
func TestWhoMayPublish(t *testing.T) {
	w := newWorld(t)
	doc, one := w.stamped(t), serialNumber(t, 1)
	sealKey := w.pki.SealP256
	own := func(e *verify.SealTrustEntry) { e.ListKeys = nil }
	for _, c := range []struct {
		name   string
		signer crypto.Signer
		entry  func(*verify.SealTrustEntry)
		draft  func(*verify.StatusListDraft)
		says   string // of the refusal; empty: it is accepted
		void   bool
	}{
		{"list key", listSigner(1), nil, nil, "", true},
		{"seal key, which is its own list key", sealKey, own, nil, "", true},
		{"seal key beside a list key", sealKey, nil, nil, "no entry of the seal trust list", false},
		{"another key", listSigner(2), nil, nil, "no entry of the seal trust list", false},
		{"production list of a specimen key", listSigner(1), nil, func(d *verify.StatusListDraft) { d.Specimen = false }, "specimen", false},
		{"seal key that is revoked", sealKey, func(e *verify.SealTrustEntry) { own(e); e.Revoked = true }, nil, "revoked", false},
		{"seal key that had expired", sealKey, func(e *verify.SealTrustEntry) { own(e); e.NotAfter = now.AddDate(0, -1, 0) }, nil, "outside the validity", false},
		{"list key of a seal key that is revoked", listSigner(1), func(e *verify.SealTrustEntry) { e.Revoked = true }, nil, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			trust := listTrust(t, w, c.entry)
			l, err := verify.ParseStatusList(published(t, c.signer, func(d *verify.StatusListDraft) {
				d.Void = []serial.Number{one}
				if c.draft != nil {
					c.draft(d)
				}
			}), trust)
			if c.says != "" {
				var bad *verify.StatusListError
				require.ErrorAs(t, err, &bad)
				require.Contains(t, bad.Reason, c.says)
				require.Nil(t, l)
				return
			}
			require.NoError(t, err)
			r := check(t, doc, with(w.opt, func(o *verify.Options) { o.SealTrust, o.Lists = trust, []*verify.StatusList{l} }))
			require.Equal(t, c.void, r.Signatures[0].Stamp.Status == verify.StatusVoid, r.Text())
		})
	}
	t.Run("list of another issuer", func(t *testing.T) {
		other := listTrust(t, w, func(e *verify.SealTrustEntry) { e.Issuers = []string{"AA"} })
		l := parsed(t, published(t, listSigner(1), voiding(one)), other)
		require.True(t, l.Void(one), "it says so")
		r := check(t, doc, with(w.opt, func(o *verify.Options) { o.Lists = []*verify.StatusList{l} }))
		require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
		require.Empty(t, r.Signatures[0].Stamp.Status)
	})
	_, err := verify.ParseStatusList(published(t, listSigner(1), nil), nil)
	require.Error(t, err)
}

// There is one encoding of a list, and every change to it is found.
func TestStatusListEncoding(t *testing.T) {
	w := newWorld(t)
	trust := listTrust(t, w, nil)
	key := keyOf(t, w.pki.SealP256).Hash()
	numbers := []serial.Number{serialNumber(t, 3), serialNumber(t, 1), serialNumber(t, 2), serialNumber(t, 1)}
	good := published(t, listSigner(1), func(d *verify.StatusListDraft) {
		d.Void = numbers
		d.Revoked = []verify.RevokedKey{{Key: key, At: now, Reason: verify.ReasonKeyCompromise}, {Key: [32]byte{1}, At: now.Add(time.Second)}}
	})
	require.Len(t, good, 68+2*38+3*14+64)
	l := parsed(t, good, trust)
	require.EqualValues(t, 7, l.Number)
	require.True(t, now.Add(-time.Hour).Equal(l.Issued))
	require.Equal(t, 3, l.VoidCount())
	require.ElementsMatch(t, numbers[:3], slices.Collect(l.Voids()))
	for _, n := range numbers {
		require.True(t, l.Void(n))
	}
	require.False(t, l.Void(serialNumber(t, 4)))
	require.False(t, l.Void(serial.Number{}))
	revoked := slices.Collect(l.Revoked())
	require.Len(t, revoked, 2)
	require.Equal(t, [32]byte{1}, revoked[0].Key)
	require.Equal(t, verify.ReasonKeyCompromise, revoked[1].Reason)
	for range l.Voids() {
		break // a walk may end early
	}

	for i := range good {
		_, err := verify.ParseStatusList(flip(good, i), trust)
		var bad *verify.StatusListError
		require.ErrorAs(t, err, &bad, "byte %d", i)
		_, err = verify.ParseStatusList(good[:i], trust)
		require.ErrorAs(t, err, &bad, "cut at %d", i)
	}
	_, err := verify.ParseStatusList(append(bytes.Clone(good), 0), trust)
	require.Error(t, err)
	empty := parsed(t, published(t, listSigner(1), nil), trust)
	require.False(t, empty.Void(numbers[0]))
	require.Zero(t, empty.VoidCount())
}

// What only the holder of the list key can write wrongly is refused as well.
func TestAttackListsThatAreNotCanonical(t *testing.T) {
	w := newWorld(t)
	trust := listTrust(t, w, nil)
	good := published(t, listSigner(1), func(d *verify.StatusListDraft) {
		d.Void = []serial.Number{serialNumber(t, 1), serialNumber(t, 2)}
		d.Revoked = []verify.RevokedKey{{Key: [32]byte{1}, At: now}, {Key: [32]byte{2}, At: now}}
	})
	const revoked, void = 68, 68 + 2*38
	for name, change := range map[string]func(b []byte) []byte{
		"number zero":                 func(b []byte) []byte { clear(b[42:50]); return b },
		"next update at once":         func(b []byte) []byte { copy(b[55:60], b[50:55]); return b },
		"reserved flag":               func(b []byte) []byte { b[9] |= 2; return b },
		"version 2":                   func(b []byte) []byte { b[7] = 2; return b },
		"unknown reason":              func(b []byte) []byte { b[revoked+37] = 9; return b },
		"keys the wrong way":          func(b []byte) []byte { return swap(b, revoked, 38) },
		"the same key twice":          func(b []byte) []byte { copy(b[revoked+38:void], b[revoked:revoked+38]); return b },
		"serials the wrong way":       func(b []byte) []byte { return swap(b, void, 14) },
		"the same serial twice":       func(b []byte) []byte { copy(b[void+14:], b[void:void+14]); return b },
		"a serial with a wrong check": func(b []byte) []byte { b[void+13+14] ^= 4; return b },
		"low bits of a serial":        func(b []byte) []byte { b[void+13+14] |= 1; return b },
		"no serial at all":            func(b []byte) []byte { clear(b[void : void+14]); return b },
		"more serials than there are": func(b []byte) []byte { binary.BigEndian.PutUint32(b[64:], 3); return b },
		"2^32 serials":                func(b []byte) []byte { binary.BigEndian.PutUint32(b[64:], 1<<32-1); return b },
		"2^32 keys":                   func(b []byte) []byte { binary.BigEndian.PutUint32(b[60:], 1<<32-1); return b },
		"trailing byte":               func(b []byte) []byte { return append(b, 0) },
		"another algorithm":           func(b []byte) []byte { b[8] = 2; return b },
	} {
		l, err := verify.ParseStatusList(resigned(t, change(bytes.Clone(good[:len(good)-64]))), trust)
		var bad *verify.StatusListError
		require.ErrorAs(t, err, &bad, name)
		require.Nil(t, l, name)
	}
	parsed(t, resigned(t, bytes.Clone(good[:len(good)-64])), trust)
}

func swap(b []byte, at, n int) []byte {
	first := bytes.Clone(b[at : at+n])
	copy(b[at:], b[at+n:at+2*n])
	copy(b[at+n:], first)
	return b
}

// resigned signs a list with list key 1, whatever it says.
func resigned(t testing.TB, b []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(b)
	signature, err := keyOf(t, listSigner(1)).SignDetached(listSigner(1), append([]byte("meterai list v1\x00"), sum[:]...))
	require.NoError(t, err)
	return append(b, signature[:]...)
}

func TestDraftsThatHaveNoEncoding(t *testing.T) {
	for name, change := range map[string]func(*verify.StatusListDraft){
		"no number":         func(d *verify.StatusListDraft) { d.Number = 0 },
		"no next update":    func(d *verify.StatusListDraft) { d.NextUpdate = d.Issued },
		"before 1970":       func(d *verify.StatusListDraft) { d.Issued = time.Unix(-1, 0) },
		"part of a second":  func(d *verify.StatusListDraft) { d.Issued = d.Issued.Add(1) },
		"no serial":         func(d *verify.StatusListDraft) { d.Void = make([]serial.Number, 1) },
		"key twice":         func(d *verify.StatusListDraft) { d.Revoked = []verify.RevokedKey{{At: now}, {At: now}} },
		"unknown reason":    func(d *verify.StatusListDraft) { d.Revoked = []verify.RevokedKey{{At: now, Reason: 2}} },
		"no time":           func(d *verify.StatusListDraft) { d.Revoked = make([]verify.RevokedKey, 1) },
		"too many revoked":  func(d *verify.StatusListDraft) { d.Revoked = make([]verify.RevokedKey, 1<<16+1) },
		"next update in 2^": func(d *verify.StatusListDraft) { d.NextUpdate = time.Unix(1<<40, 0) },
	} {
		d := &verify.StatusListDraft{Number: 1, Issued: now, NextUpdate: now.Add(time.Hour)}
		change(d)
		_, err := d.Sign(listSigner(1))
		var bad *verify.StatusListError
		require.ErrorAs(t, err, &bad, name)
	}
}

// FuzzStatusList: what a list key has signed is refused, or has the one encoding
// that its content gives.
func FuzzStatusList(f *testing.F) {
	w := newWorld(f)
	trust := listTrust(f, w, nil)
	for _, change := range []func(*verify.StatusListDraft){nil, voiding(serialNumber(f, 1), serialNumber(f, 2)), func(d *verify.StatusListDraft) {
		d.Revoked = []verify.RevokedKey{{Key: [32]byte{1}, At: now}, {Key: [32]byte{2}, At: now, Reason: verify.ReasonSuperseded}}
	}} {
		b := published(f, listSigner(1), change)
		f.Add(b[:len(b)-64])
		f.Add(b[:len(b)-65])
	}
	hash := keyOf(f, listSigner(1)).Hash()
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := verify.ParseStatusList(body, trust)
		require.Error(t, err, "nobody signed it")
		if len(body) >= 42 {
			body = bytes.Clone(body)
			copy(body[10:], hash[:])
		}
		b := resigned(t, body)
		l, err := verify.ParseStatusList(b, trust)
		if err != nil {
			var bad *verify.StatusListError
			require.ErrorAs(t, err, &bad)
			return
		}
		again, err := (&verify.StatusListDraft{Number: l.Number, Issued: l.Issued, NextUpdate: l.NextUpdate, Specimen: l.Specimen,
			Revoked: slices.Collect(l.Revoked()), Void: slices.Collect(l.Voids())}).Sign(listSigner(1))
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

func ExampleParseStatusList() {
	signer := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	entry, err := verify.TrustKey(signer.Public())
	if err != nil {
		panic(err)
	}
	entry.Issuers, entry.Epochs, entry.Currency, entry.NotBefore = []string{"ZZ"}, []string{"1"}, "IDR", now.AddDate(-1, 0, 0)
	trust, err := verify.NewSealTrust(entry)
	if err != nil {
		panic(err)
	}
	scheme, err := serial.NewScheme('1', "ZZ", [32]byte{1, 2, 3})
	if err != nil {
		panic(err)
	}
	void, err := scheme.Number(1)
	if err != nil {
		panic(err)
	}
	b, err := (&verify.StatusListDraft{Number: 1, Issued: now, NextUpdate: now.AddDate(0, 0, 1), Void: []serial.Number{void}}).Sign(signer)
	if err != nil {
		panic(err)
	}
	list, err := verify.ParseStatusList(b, trust) // then Options.Lists
	if err != nil {
		panic(err)
	}
	fmt.Println(len(b), list.Number, list.VoidCount(), list.Void(void), list.Current(now.AddDate(0, 0, 2)))
	// Output: 146 1 1 true false
}

func BenchmarkStatusList(b *testing.B) {
	w := newWorld(b)
	trust := listTrust(b, w, nil)
	scheme, err := serial.NewScheme('1', "ZZ", [32]byte{1, 2, 3})
	require.NoError(b, err)
	numbers := make([]serial.Number, 1_000_000)
	for i := range numbers {
		numbers[i], err = scheme.Number(uint64(i))
		require.NoError(b, err)
	}
	list := published(b, listSigner(1), voiding(numbers...))
	b.Run("Parse", func(b *testing.B) {
		b.SetBytes(int64(len(list)))
		b.ReportAllocs()
		for b.Loop() {
			parsed(b, list, trust)
		}
	})
	b.Run("Void", func(b *testing.B) {
		l := parsed(b, list, trust)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if !l.Void(numbers[i%len(numbers)]) {
				b.Fatal("not found")
			}
		}
	})
}

// TestListKeysOfTrustFiles: they are read and written with the rest, as strictly.
func TestListKeysOfTrustFiles(t *testing.T) {
	w := newWorld(t)
	b, err := json.Marshal(listTrust(t, w, nil))
	require.NoError(t, err)
	again, err := verify.ParseSealTrust(b)
	require.NoError(t, err)
	parsed(t, published(t, listSigner(1), nil), again)
	byHand := &verify.SealTrust{Entries: again.Entries}
	parsed(t, published(t, listSigner(1), nil), byHand)
	key := again.Entries[0].ListKeys[0]
	for _, bad := range []string{`["x"]`, `[""]`, `null`, `"` + key + `"`, `["` + key + `","AAAA"]`} {
		_, err := verify.ParseSealTrust(bytes.Replace(b, []byte(`["`+key+`"]`), []byte(bad), 1))
		var trouble *verify.TrustError
		require.ErrorAs(t, err, &trouble, bad)
		require.Contains(t, trouble.Error(), "seal trust list")
	}
	_, err = verify.ParseStatusList(published(t, listSigner(1), nil), &verify.SealTrust{Entries: []verify.SealTrustEntry{{}}})
	var trouble *verify.TrustError
	require.ErrorAs(t, err, &trouble, "made by hand and wrong")
	_, err = (&verify.SealTrustEntry{PublicKey: "x"}).Key()
	require.ErrorAs(t, err, &trouble)
	k, err := again.Entries[0].Key()
	require.NoError(t, err)
	require.Equal(t, keyOf(t, w.pki.SealP256).Hash(), k.Hash())
}
