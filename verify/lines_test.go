package verify_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// The tests of this file are the list of hostile input to a verifier, line by line:
// each has a name, and an answer that is never a false TOTAL-PASSED. What other
// files test at length stands here once.

// line is a document and the answer to it.
type line struct {
	name string
	doc  func(t testing.TB, w *world) []byte
	ind  verify.Indication
	sub  verify.SubIndication
}

func runLines(t *testing.T, w *world, lines []line, opt *verify.Options) {
	t.Helper()
	for _, c := range lines {
		t.Run(c.name, func(t *testing.T) {
			r := check(t, c.doc(t, w), opt)
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Equal(t, c.sub, r.SubIndication, r.Text())
			if c.ind != verify.TotalPassed && c.ind != verify.NoSignature {
				require.NotEmpty(t, slices.Concat(reasonsOf(r)...), "it says why")
			}
		})
	}
}

func reasonsOf(r *verify.Report) (all [][]string) {
	for _, s := range r.Signatures {
		all = append(all, s.Reasons)
	}
	return all
}

// signedBy makes a document with one signature.
func signedBy(j job) func(testing.TB, *world) []byte {
	return func(t testing.TB, w *world) []byte { return w.sign(t, plain("x", 1, 0), j) }
}

// withDict rewrites keys of the signature dictionary before it is signed.
func withDict(keys pdf.Dict) func(testing.TB, *world) []byte {
	return signedBy(job{edit: func(sig, _ pdf.Dict) {
		for k, v := range keys {
			if v == nil {
				delete(sig, k)
			} else {
				sig[k] = v
			}
		}
	}})
}

func TestLinesSignatureDictionary(t *testing.T) {
	w := newWorld(t)
	failed := func(name string, sub verify.SubIndication, doc func(testing.TB, *world) []byte) line {
		return line{name, doc, verify.TotalFailed, sub}
	}
	runLines(t, w, []line{
		{"missing SubFilter", withDict(pdf.Dict{"SubFilter": nil}), verify.Indeterminate, verify.SigConstraintsFailure},
		{"SubFilter that is no name", withDict(pdf.Dict{"SubFilter": pdf.String("ETSI.CAdES.detached")}), verify.Indeterminate, verify.SigConstraintsFailure},
		failed("CMS bytes zeroed", verify.FormatFailure, signedBy(job{cms: func(b []byte) []byte { return make([]byte, len(b)) }})),
		failed("no CMS bytes", verify.FormatFailure, signedBy(job{cms: func([]byte) []byte { return nil }})),
		failed("Contents inside an object stream", verify.FormatFailure, func(t testing.TB, w *world) []byte {
			doc := update(t, packedDoc(), func(u *pdf.Update, f *pdf.File) {
				addToForm(t, u, f, u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Packed"), "V": pdf.Ref{Number: 3}}))
			})
			sig := "3 0 <</Type/Sig/SubFilter/ETSI.CAdES.detached/ByteRange[0 100 200 900]/Contents<" + strings.Repeat("30", 49) + ">>>"
			return packedUpdate(t, doc, data("/Type/ObjStm/N 1/First 4", sig), 0)
		}),
		{"the placeholder of a signer inside the document", func(t testing.TB, w *world) []byte {
			text := "/Contents <" + strings.Repeat("0", 18000) + "> /ByteRange [0 ********** ********** **********]"
			return w.sign(t, plain(text, 1, 0), job{stamp: &stampJob{number: serialNumber(t, 1)}})
		}, verify.TotalPassed, ""},
	}, w.opt)
}

// TestLinesLaterRevisions names the ways in which revisions that follow a signature
// were abused; the tables of the tests above have them, and more, in detail.
func TestLinesLaterRevisions(t *testing.T) {
	w := newWorld(t)
	after := func(change func(t testing.TB, u *pdf.Update, f *pdf.File)) func(testing.TB, *world) []byte {
		return func(t testing.TB, w *world) []byte {
			return update(t, w.stamped(t), func(u *pdf.Update, f *pdf.File) { change(t, u, f) })
		}
	}
	modified := func(name string, change func(t testing.TB, u *pdf.Update, f *pdf.File)) line {
		return line{name, after(change), verify.TotalFailed, verify.FormatFailure}
	}
	runLines(t, w, []line{
		{"DSS only", after(func(t testing.TB, u *pdf.Update, f *pdf.File) { addDSS(t, u, f) }), verify.TotalPassed, ""},
		modified("page changed", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			pageWith(t, u, f, 1, pdf.Dict{"Contents": u.Add(stream("BT ET"))})
		}),
		modified("font changed", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			u.Set(pdf.Ref{Number: 3}, pdf.Dict{"Type": pdf.Name("Font"), "Subtype": pdf.Name("Type1"), "BaseFont": pdf.Name("ZapfDingbats")})
		}),
		modified("annotation over content", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			a := u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("FreeText"), "Rect": num(0, 0, 500, 500), "Contents": pdf.String("other")})
			pageWith(t, u, f, 1, pdf.Dict{"Annots": pdf.Array{a}})
		}),
		modified("incremental saving", func(t testing.TB, u *pdf.Update, f *pdf.File) { u.Set(pdf.Ref{Number: 4}, stream("BT (more) Tj ET")) }),
		modified("shadow: hide", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			catalogWith(t, u, f, pdf.Dict{"Pages": u.Add(pdf.Dict{"Type": pdf.Name("Pages"), "Kids": pdf.Array{pdf.Ref{Number: 7}}, "Count": pdf.Integer(1)})})
		}),
		modified("universal forgery: signature without a range", func(t testing.TB, u *pdf.Update, f *pdf.File) {
			ref, field := firstField(t, f)
			sig, err := f.Dict(field["V"])
			require.NoError(t, err)
			u.Set(ref, merge(field, pdf.Dict{"V": u.Add(merge(sig, pdf.Dict{"ByteRange": nil}))}))
			u.Set(pdf.Ref{Number: 4}, stream("BT ET"))
		}),
	}, w.opt)
	t.Run("signature wrapping", func(t *testing.T) {
		// The signed tail is moved away, and other objects stand where it was.
		doc := w.sign(t, plain("x", 1, 0), job{byteRange: func(v [4]int64) string {
			return rangeText(v[0], v[1], v[2]+100, v[3]-100)
		}})
		require.Equal(t, verify.TotalFailed, check(t, doc, w.opt).Indication)
	})
}

// pieces gives the elements that an encoded element holds.
func pieces(t testing.TB, b []byte) (out [][]byte) {
	t.Helper()
	var e asn1.RawValue
	_, err := asn1.Unmarshal(b, &e)
	require.NoError(t, err)
	for rest := e.Bytes; len(rest) > 0; {
		var part asn1.RawValue
		rest, err = asn1.Unmarshal(rest, &part)
		require.NoError(t, err)
		out = append(out, part.FullBytes)
	}
	return out
}

// as encodes elements under the tag of another.
func as(t testing.TB, like []byte, parts ...[]byte) []byte {
	t.Helper()
	var e asn1.RawValue
	_, err := asn1.Unmarshal(like, &e)
	require.NoError(t, err)
	return der(t, asn1.RawValue{Class: e.Class, Tag: e.Tag, IsCompound: true, Bytes: bytes.Join(parts, nil)}, "")
}

// inSignedData changes the parts of a SignedData: version, digest algorithms,
// content, certificates, signers.
func inSignedData(t testing.TB, b []byte, change func(parts [][]byte) [][]byte) []byte {
	info := pieces(t, b)
	data := pieces(t, info[1])[0]
	return as(t, b, info[0], as(t, info[1], as(t, data, change(pieces(t, data))...)))
}

// changed signs a document and changes the parts of its SignedData afterwards.
func changed(change func(t testing.TB, parts [][]byte) [][]byte) func(testing.TB, *world) []byte {
	return func(t testing.TB, w *world) []byte {
		return w.sign(t, plain("x", 1, 0), job{cms: func(b []byte) []byte {
			return inSignedData(t, b, func(parts [][]byte) [][]byte { return change(t, parts) })
		}})
	}
}

// withAttributes signs a document with other signed attributes; none leaves them
// out, and signs the document itself.
func withAttributes(change func(t testing.TB, attrs [][]byte) [][]byte) func(testing.TB, *world) []byte {
	return func(t testing.TB, w *world) []byte {
		j := job{id: w.pki.StampP256, alg: cms.ECDSASHA256}
		j.digest = func(digest []byte) []byte {
			return inSignedData(t, w.container(t, &j, digest), func(parts [][]byte) [][]byte {
				last := len(parts) - 1
				info := pieces(t, pieces(t, parts[last])[0]) // version, signer, digest, attributes, algorithm, value
				attrs := change(t, pieces(t, info[3]))
				signed := sha256.Sum256(as(t, parts[last], attrs...))
				info[3] = as(t, info[3], attrs...)
				if attrs == nil {
					signed, info[3] = [32]byte(digest), nil
				}
				value, err := j.id.Key.Sign(rand.Reader, signed[:], crypto.SHA256)
				require.NoError(t, err)
				info[5] = der(t, value, "")
				parts[last] = as(t, parts[last], sequence(t, info...))
				return parts
			})
		}
		return w.sign(t, plain("x", 1, 0), j)
	}
}

// attribute tells which one it is: 3 content-type, 4 message-digest, 47
// signing-certificate-v2, by the last arc of its type.
func attribute(t testing.TB, attrs [][]byte, last byte) int {
	return slices.IndexFunc(attrs, func(a []byte) bool { id := pieces(t, a)[0]; return id[len(id)-1] == last })
}

func TestLinesCMS(t *testing.T) {
	w := newWorld(t)
	failed := func(name string, sub verify.SubIndication, doc func(testing.TB, *world) []byte) line {
		return line{name, doc, verify.TotalFailed, sub}
	}
	exchange := func(last byte, make func(t testing.TB, a []byte) [][]byte) func(testing.TB, *world) []byte {
		return withAttributes(func(t testing.TB, attrs [][]byte) [][]byte {
			at := attribute(t, attrs, last)
			return slices.Concat(attrs[:at], make(t, attrs[at]), attrs[at+1:])
		})
	}
	value := func(t testing.TB, a []byte, v ...[]byte) []byte {
		p := pieces(t, a)
		return sequence(t, p[0], as(t, p[1], v...))
	}
	runLines(t, w, []line{
		{"written by hand, honest", withAttributes(func(_ testing.TB, attrs [][]byte) [][]byte { return attrs }), verify.TotalPassed, ""},
		{"no signed attributes", withAttributes(func(testing.TB, [][]byte) [][]byte { return nil }), verify.Indeterminate, verify.SigConstraintsFailure},
		failed("messageDigest twice", verify.FormatFailure, exchange(4, func(t testing.TB, a []byte) [][]byte { return [][]byte{a, a} })),
		failed("messageDigest with two values", verify.FormatFailure, exchange(4, func(t testing.TB, a []byte) [][]byte {
			v := pieces(t, pieces(t, a)[1])[0]
			return [][]byte{value(t, a, v, v)}
		})),
		failed("messageDigest of the wrong type", verify.FormatFailure, exchange(4, func(t testing.TB, a []byte) [][]byte {
			return [][]byte{value(t, a, der(t, "digest", "utf8"))}
		})),
		failed("messageDigest missing", verify.FormatFailure, exchange(4, func(testing.TB, []byte) [][]byte { return nil })),
		failed("messageDigest SHA-1", verify.HashFailure, exchange(4, func(t testing.TB, a []byte) [][]byte {
			sum := sha1.Sum(plain("x", 1, 0))
			return [][]byte{value(t, a, der(t, sum[:], ""))}
		})),
		failed("content-type of another content", verify.FormatFailure, exchange(3, func(t testing.TB, a []byte) [][]byte {
			return [][]byte{value(t, a, der(t, cms.TSTInfo(), ""))}
		})),
		{"signing-certificate-v2 missing", exchange(47, func(testing.TB, []byte) [][]byte { return nil }), verify.Indeterminate, verify.SigConstraintsFailure},
		failed("signing-certificate-v2 for another certificate", verify.FormatFailure, exchange(47, func(t testing.TB, a []byte) [][]byte {
			sum := sha256.Sum256(w.pki.StampRSA.Cert.Raw)
			return [][]byte{value(t, a, sequence(t, sequence(t, sequence(t, der(t, sum[:], "")))))}
		})),
		failed("zero SignerInfos", verify.FormatFailure, changed(func(t testing.TB, parts [][]byte) [][]byte {
			parts[len(parts)-1] = as(t, parts[len(parts)-1])
			return parts
		})),
		failed("two SignerInfos", verify.FormatFailure, changed(func(t testing.TB, parts [][]byte) [][]byte {
			last := len(parts) - 1
			one := pieces(t, parts[last])[0]
			parts[last] = as(t, parts[last], one, one)
			return parts
		})),
		failed("attached content in a detached signature", verify.FormatFailure, changed(func(t testing.TB, parts [][]byte) [][]byte {
			parts[2] = as(t, parts[2], pieces(t, parts[2])[0], ctxTag(t, 0, der(t, []byte("another document"), "")))
			return parts
		})),
		failed("trailing bytes", verify.FormatFailure, signedBy(job{cms: func(b []byte) []byte { return append(b, 0x30, 0) }})),
		failed("BER nesting 10^3 in 6 KB", verify.FormatFailure, signedBy(job{cms: func([]byte) []byte { return bytes.Repeat([]byte{0x24, 0x80}, 3000) }})),
		{"signer certificate last in the bag", changed(func(t testing.TB, parts [][]byte) [][]byte {
			certs := pieces(t, parts[3])
			slices.Reverse(certs)
			parts[3] = as(t, parts[3], certs...)
			return parts
		}), verify.TotalPassed, ""},
		{"certificate of another signer first in the bag", changed(func(t testing.TB, parts [][]byte) [][]byte {
			parts[3] = as(t, parts[3], append([][]byte{w.pki.StampRSA.Cert.Raw}, pieces(t, parts[3])...)...)
			return parts
		}), verify.TotalPassed, ""},
		failed("ECDSA r zero", verify.SigCryptoFailure, valued(func(t testing.TB) []byte { return sequence(t, der(t, 0, ""), der(t, 1, "")) })),
		failed("ECDSA s zero", verify.SigCryptoFailure, valued(func(t testing.TB) []byte { return sequence(t, der(t, 1, ""), der(t, 0, "")) })),
		failed("ECDSA r the order", verify.SigCryptoFailure, valued(func(t testing.TB) []byte {
			return sequence(t, der(t, elliptic.P256().Params().N, ""), der(t, 1, ""))
		})),
		failed("ECDSA with s of the other sign", verify.SigCryptoFailure, valued(func(t testing.TB) []byte {
			return sequence(t, der(t, 1, ""), der(t, big.NewInt(-1), ""))
		})),
	}, w.opt)
}

// valued puts another signature value into the SignerInfo.
func valued(value func(t testing.TB) []byte) func(testing.TB, *world) []byte {
	return changed(func(t testing.TB, parts [][]byte) [][]byte {
		last := len(parts) - 1
		info := pieces(t, pieces(t, parts[last])[0])
		info[len(info)-1] = der(t, value(t), "")
		parts[last] = as(t, parts[last], sequence(t, info...))
		return parts
	})
}

// TestLinesKeys: keys that nobody should compute with, certified by a trusted root.
func TestLinesKeys(t *testing.T) {
	root := (*ca)(nil).issue(t, authority("root"), nil)
	honest, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, pub := range map[string]*rsa.PublicKey{
		"RSA e=1":              {N: honest.N, E: 1},
		"RSA n of 16,384 bits": {N: new(big.Int).SetBit(big.NewInt(1), 16383, 1), E: 65537},
	} {
		t.Run(name, func(t *testing.T) {
			tmpl := signer("odd key")
			tmpl.SerialNumber, tmpl.NotBefore, tmpl.NotAfter = big.NewInt(77), now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0)
			raw, err := x509.CreateCertificate(rand.Reader, tmpl, root.cert, pub, root.key)
			require.NoError(t, err)
			cert, err := x509.ParseCertificate(raw)
			require.NoError(t, err)
			w := newWorld(t)
			doc := w.sign(t, plain("x", 1, 0), job{alg: cms.RSAPKCS1SHA256, digest: func(digest []byte) []byte {
				j := job{id: pki.Identity{Cert: w.pki.StampRSA.Cert, Key: w.pki.StampRSA.Key}, alg: cms.RSAPKCS1SHA256}
				return inSignedData(t, w.container(t, &j, digest), func(parts [][]byte) [][]byte {
					parts[3] = as(t, parts[3], cert.Raw)
					last := len(parts) - 1
					info := pieces(t, pieces(t, parts[last])[0])
					info[1] = sequence(t, cert.RawIssuer, der(t, cert.SerialNumber, ""))
					parts[last] = as(t, parts[last], sequence(t, info...))
					return parts
				})
			}})
			pool := x509.NewCertPool()
			pool.AddCert(root.cert)
			r := check(t, doc, &verify.Options{Roots: pool, Time: now})
			require.NotEqual(t, verify.TotalPassed, r.Indication, r.Text())
			require.NotEqual(t, verify.TotalPassed, check(t, doc, &verify.Options{IntegrityOnly: true}).Indication)
		})
	}
}

func TestLinesTimeAndRevocation(t *testing.T) {
	w := own(t)
	soft, err := w.pki.Issue(&pki.Request{CommonName: "Not for timestamps", Use: pki.ESeal, Key: pki.P256})
	require.NoError(t, err)
	root := (*ca)(nil).issue(t, authority("root"), nil)
	notCritical := root.issue(t, func() *x509.Certificate {
		c := signer("extended key usage not critical")
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}
		return c
	}(), nil)
	stamped := func(id pki.Identity) func(testing.TB, *world) []byte {
		return func(t testing.TB, w *world) []byte { return w.timestamped(t, id, now, false) }
	}
	runLines(t, w, []line{
		{"token over another imprint", func(t testing.TB, w *world) []byte { return w.timestamped(t, w.pki.TSA, now, true) }, verify.TotalFailed, verify.HashFailure},
	}, w.opt)
	for name, id := range map[string]pki.Identity{
		"token without the extended key usage":          soft,
		"token with an extended key usage not critical": notCritical.identity(),
	} {
		t.Run(name, func(t *testing.T) {
			pool := w.pki.Roots()
			pool.AddCert(root.cert)
			s := check(t, stamped(id)(t, w), with(w.opt, func(o *verify.Options) { o.Roots = pool })).Signatures[0]
			require.Nil(t, s.Timestamp, "it proves no time")
			require.Equal(t, "B-B", s.Level)
		})
	}
	leaf := root.issue(t, signer("signer"), nil)
	lists := func(change func(*x509.RevocationList)) func(*verify.Options) {
		return func(o *verify.Options) { o.CRLs = []*x509.RevocationList{root.list(t, change)} }
	}
	for name, c := range map[string]struct {
		change func(*verify.Options)
		sub    verify.SubIndication
	}{
		"CRL that is current": {lists(nil), ""},
		"CRL expired": {lists(func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
		}), verify.TryLater},
		"CRL from the future": {lists(func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = now.Add(time.Hour), now.Add(48*time.Hour)
		}), verify.TryLater},
		"CRL whose end is before its beginning": {lists(func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = now.Add(-time.Hour), now.Add(-time.Hour)
		}), verify.TryLater},
	} {
		t.Run(name, func(t *testing.T) {
			requireSub(t, c.sub, judge(t, leaf.identity(), root, c.change))
		})
	}
	for name, c := range map[string]struct {
		this, next time.Duration
		garbage    bool
		sub        verify.SubIndication
	}{
		"OCSP that is current": {this: -time.Hour, next: time.Hour},
		"OCSP expired":         {this: -48 * time.Hour, next: -24 * time.Hour, sub: verify.TryLater},
		"OCSP from the future": {this: time.Hour, next: 2 * time.Hour, sub: verify.TryLater},
		"OCSP of 1 MB":         {garbage: true, sub: verify.TryLater},
	} {
		t.Run(name, func(t *testing.T) {
			// Package ocsp writes the answer's own time as the time of the test.
			answer := bytes.Repeat([]byte{0x30, 0x80}, 1<<19)
			if !c.garbage {
				var err error
				answer, err = ocsp.CreateResponse(root.cert, root.cert, ocsp.Response{Status: ocsp.Good, SerialNumber: leaf.cert.SerialNumber,
					ThisUpdate: time.Now().Add(c.this), NextUpdate: time.Now().Add(c.next)}, root.key)
				require.NoError(t, err)
			}
			pool := x509.NewCertPool()
			pool.AddCert(root.cert)
			doc := withOCSP(t, w.sign(t, plain("x", 1, 0), job{id: leaf.identity()}), answer)
			requireSub(t, c.sub, check(t, doc, &verify.Options{Roots: pool, Time: time.Now()}))
		})
	}
}

// TestLinesSeals: what a phone, or a scanner, may read.
func TestLinesSeals(t *testing.T) {
	w := newWorld(t)
	base := plain("agreement", 1, 0)
	raw := w.seal(t, base, &stampJob{number: serialNumber(t, 1)})
	good, err := seal.Text("HTTPS://S.TEST/", raw)
	require.NoError(t, err)
	text := func(b []byte) string { // whatever the bytes are
		return "HTTPS://S.TEST/" + new(big.Int).SetBytes(append([]byte{1}, b...)).String()
	}
	require.Equal(t, good, text(raw))
	with := func(at int, v byte) string {
		b := bytes.Clone(raw)
		b[at] = v
		return text(b)
	}
	for name, c := range map[string]struct {
		text string
		ind  verify.Indication
	}{
		"genuine":                  {good, verify.Indeterminate},
		"empty":                    {"", verify.TotalFailed},
		"prefix alone":             {"HTTPS://S.TEST/", verify.TotalFailed},
		"digits alone":             {good[len("HTTPS://S.TEST/"):], verify.Indeterminate},
		"trailing byte":            {text(append(bytes.Clone(raw), 0)), verify.TotalFailed},
		"trailing digit":           {good + "0", verify.TotalFailed},
		"leading zero":             {"HTTPS://S.TEST/0" + good[len("HTTPS://S.TEST/"):], verify.TotalFailed},
		"another key id":           {with(2, raw[2]^1), verify.Indeterminate},
		"older version":            {with(0, raw[0]&15), verify.TotalFailed},
		"newer version":            {with(0, 2<<4|raw[0]&15), verify.TotalFailed},
		"SPECIMEN taken off":       {with(1, 0), verify.TotalFailed},
		"a reserved flag":          {with(1, 0x81), verify.TotalFailed},
		"flagged TLVs, none":       {with(1, 3), verify.TotalFailed},
		"another value":            {with(28, raw[28]^1), verify.TotalFailed},
		"another serial":           {with(10, raw[10]^1), verify.TotalFailed},
		"not a number":             {"HTTPS://S.TEST/12345X", verify.TotalFailed},
		"digits of another script": {strings.Repeat("\u0661", 300), verify.TotalFailed},
		"10 MB":                    {strings.Repeat("1", 10<<20), verify.TotalFailed},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := verify.Seal(c.text, w.opt)
			require.NoError(t, err)
			require.Equal(t, c.ind, r.Indication, r.Text())
			require.Equal(t, name == "genuine" || name == "digits alone", r.Genuine)
			require.Less(t, len(r.Text()), 4000)
		})
	}
}
