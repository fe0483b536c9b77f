// Package vectors_test holds the packages serial, sign/seal and sign/cms to the vectors,
// which an independent implementation wrote (see README.md).
package vectors_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata"
)

// Hex is bytes that JSON has as hexadecimal text.
type Hex []byte

func (h *Hex) UnmarshalText(b []byte) error {
	out, err := hex.DecodeString(string(b))
	*h = out
	return err
}

func load(t *testing.T, name string, into any) {
	t.Helper()
	b, err := testdata.FS.ReadFile("vectors/" + name)
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(into))
}

type serialVectors struct {
	About   string `json:"about"`
	Numbers []struct {
		Epoch   string `json:"epoch"`
		Issuer  string `json:"issuer"`
		Key     Hex    `json:"key"`
		Counter uint64 `json:"counter"`
		Number  string `json:"number"`
		Grouped string `json:"grouped"`
		Packed  Hex    `json:"packed"`
	} `json:"numbers"`
	Check []struct {
		Body  string `json:"body"`
		Check string `json:"check"`
	} `json:"check"`
	Parse []struct {
		What   string `json:"what"`
		Text   string `json:"text"`
		Expect string `json:"expect"`
		Number string `json:"number"`
	} `json:"parse"`
}

func TestSerialNumbers(t *testing.T) {
	var v serialVectors
	load(t, "serial.json", &v)
	require.NotEmpty(t, v.Numbers)
	for _, c := range v.Numbers {
		scheme, err := serial.NewScheme(c.Epoch[0], c.Issuer, [32]byte(c.Key))
		require.NoError(t, err)
		n, err := scheme.Number(c.Counter)
		require.NoError(t, err)
		require.Equal(t, c.Number, n.String(), "counter %d", c.Counter)
		require.Equal(t, c.Grouped, n.Grouped())
		require.Equal(t, c.Epoch[0], n.Epoch())
		require.Equal(t, c.Issuer, n.Issuer())
		packed := n.Packed()
		require.Equal(t, []byte(c.Packed), packed[:])
		unpacked, err := serial.Unpack(packed)
		require.NoError(t, err)
		require.Equal(t, n, unpacked)
		require.True(t, scheme.Genuine(n))
	}
}

func TestCheckCode(t *testing.T) {
	var v serialVectors
	load(t, "serial.json", &v)
	require.NotEmpty(t, v.Check)
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	for _, c := range v.Check {
		n, err := serial.Parse(c.Body + c.Check)
		require.NoError(t, err, c.Body)
		require.Equal(t, c.Body+c.Check, n.String())
		for i := range c.Check {
			for j := range alphabet {
				if alphabet[j] == c.Check[i] {
					continue
				}
				other := []byte(c.Body + c.Check)
				other[19+i] = alphabet[j]
				_, err := serial.Parse(string(other))
				require.Error(t, err, string(other))
			}
		}
	}
}

func TestParse(t *testing.T) {
	var v serialVectors
	load(t, "serial.json", &v)
	require.NotEmpty(t, v.Parse)
	for _, c := range v.Parse {
		n, err := serial.Parse(c.Text)
		if c.Expect == "accepted" {
			require.NoError(t, err, c.What)
			require.Equal(t, c.Number, n.String(), c.What)
			continue
		}
		var bad *serial.ParseError
		require.ErrorAs(t, err, &bad, c.What)
		require.True(t, n.IsZero(), c.What)
	}
}

type refusal struct {
	What   string `json:"what"`
	Key    string `json:"key"`
	Bytes  Hex    `json:"bytes"`
	Text   string `json:"text"`
	Expect string `json:"expect"`
}

type sealVectors struct {
	About string `json:"about"`
	Keys  map[string]struct {
		Private Hex `json:"private"`
		SPKI    Hex `json:"spki"`
		ID      Hex `json:"id"`
	} `json:"keys"`
	Seals []struct {
		refusal
		Prefix         string `json:"prefix"`
		Specimen       bool   `json:"specimen"`
		Serial         string `json:"serial"`
		Issued         int64  `json:"issued"`
		Value          uint32 `json:"value"`
		DocumentLength int64  `json:"document_length"`
		DocumentDigest Hex    `json:"document_digest"`
		TLVs           []struct {
			Type  byte `json:"type"`
			Value Hex  `json:"value"`
		} `json:"tlvs"`
		Message Hex `json:"message"`
	} `json:"seals"`
	RefusedBytes      []refusal `json:"refused_bytes"`
	RefusedTexts      []refusal `json:"refused_texts"`
	RefusedSignatures []refusal `json:"refused_signatures"`
}

func signer(t *testing.T, pkcs8 []byte) crypto.Signer {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	require.NoError(t, err)
	s, ok := key.(crypto.Signer)
	require.True(t, ok)
	return s
}

func (v *sealVectors) key(t *testing.T, name string) *seal.Key {
	t.Helper()
	pub, err := x509.ParsePKIXPublicKey(v.Keys[name].SPKI)
	require.NoError(t, err)
	k, err := seal.NewKey(pub)
	require.NoError(t, err)
	id := k.ID()
	require.Equal(t, []byte(v.Keys[name].ID), id[:])
	return k
}

func TestSeals(t *testing.T) {
	var v sealVectors
	load(t, "seal.json", &v)
	require.NotEmpty(t, v.Seals)
	for _, c := range v.Seals {
		t.Run(c.Key+" "+c.What, func(t *testing.T) {
			key := v.key(t, c.Key)
			number, err := serial.Parse(c.Serial)
			require.NoError(t, err)
			fields := seal.Seal{
				Specimen: c.Specimen, Serial: number, Issued: time.Unix(c.Issued, 0).UTC(), Value: c.Value,
				DocumentLength: c.DocumentLength, DocumentDigest: [32]byte(c.DocumentDigest),
			}
			for _, tlv := range c.TLVs {
				fields.Extra = append(fields.Extra, seal.TLV{Type: tlv.Type, Value: tlv.Value})
			}

			// Writing: the bytes to be signed, and the seal with the vector's signature.
			message, err := fields.Message(key)
			require.NoError(t, err)
			require.Equal(t, []byte(c.Message), message)
			encoded, err := fields.Finish(key, c.Bytes[len(c.Bytes)-64:])
			require.NoError(t, err)
			require.Equal(t, []byte(c.Bytes), encoded)
			text, err := seal.Text(c.Prefix, encoded)
			require.NoError(t, err)
			require.Equal(t, c.Text, text)

			// Reading.
			got, raw, err := seal.ParseText(c.Text)
			require.NoError(t, err)
			require.Equal(t, []byte(c.Bytes), raw)
			require.NoError(t, got.Verify(key))
			require.Equal(t, number, got.Serial)
			require.True(t, fields.Issued.Equal(got.Issued))
			require.Equal(t, c.Value, got.Value)
			require.Equal(t, c.DocumentLength, got.DocumentLength)
			require.Equal(t, []byte(c.DocumentDigest), got.DocumentDigest[:])
			require.Equal(t, c.Specimen, got.Specimen)
			require.Len(t, got.Extra, len(c.TLVs))

			// A seal of our own has the same bytes before the signature.
			own := fields
			mine, err := own.Sign(signer(t, v.Keys[c.Key].Private))
			require.NoError(t, err)
			require.Equal(t, []byte(c.Bytes[:len(c.Bytes)-64]), mine[:len(mine)-64])
			if c.Key == "ed25519" {
				require.Equal(t, []byte(c.Bytes), mine)
			}
		})
	}
}

func TestSealsRefused(t *testing.T) {
	var v sealVectors
	load(t, "seal.json", &v)
	require.NotEmpty(t, v.RefusedBytes)
	require.NotEmpty(t, v.RefusedTexts)
	require.NotEmpty(t, v.RefusedSignatures)
	for _, c := range v.RefusedBytes {
		_, err := seal.Parse(c.Bytes)
		var bad *seal.FormatError
		require.ErrorAs(t, err, &bad, c.What)
	}
	for _, c := range v.RefusedTexts {
		_, _, err := seal.ParseText(c.Text)
		require.Error(t, err, c.What)
	}
	for _, c := range v.RefusedSignatures {
		s, err := seal.Parse(c.Bytes)
		require.NoError(t, err, c.What)
		require.ErrorIs(t, s.Verify(v.key(t, c.Key)), seal.ErrSignature, c.What)
	}
}

type cmsCase struct {
	What             string `json:"what"`
	Algorithm        string `json:"algorithm"`
	Signer           string `json:"signer"`
	Hash             string `json:"hash"`
	Digest           Hex    `json:"digest"`
	SignedAttributes Hex    `json:"signed_attributes"`
	Signature        Hex    `json:"signature"`
	ContentInfo      Hex    `json:"content_info"`
	Expect           string `json:"expect"`
}

type cmsVectors struct {
	About     string `json:"about"`
	IssuerKey Hex    `json:"issuer_key"`
	Issuer    Hex    `json:"issuer"`
	Signers   map[string]struct {
		Private     Hex `json:"private"`
		Certificate Hex `json:"certificate"`
	} `json:"signers"`
	Document Hex       `json:"document"`
	Accepted []cmsCase `json:"accepted"`
	Variants []cmsCase `json:"variants"`
}

var algorithms = map[string]cms.Algorithm{
	"RSAPKCS1SHA256": cms.RSAPKCS1SHA256, "RSAPKCS1SHA512": cms.RSAPKCS1SHA512, "RSAPSSSHA256": cms.RSAPSSSHA256,
	"ECDSASHA256": cms.ECDSASHA256, "ECDSASHA384": cms.ECDSASHA384, "Ed25519": cms.Ed25519,
}

func certificate(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

func TestCMS(t *testing.T) {
	var v cmsVectors
	load(t, "cms.json", &v)
	require.NotEmpty(t, v.Accepted)
	issuer := certificate(t, v.Issuer)
	for _, c := range v.Accepted {
		t.Run(c.Algorithm, func(t *testing.T) {
			cert := certificate(t, v.Signers[c.Signer].Certificate)
			tmpl, err := cms.NewTemplate(cert, []*x509.Certificate{issuer}, algorithms[c.Algorithm])
			require.NoError(t, err)
			h := tmpl.Algorithm.Hash().New()
			h.Write(v.Document)
			require.Equal(t, []byte(c.Digest), h.Sum(nil))
			attrs := tmpl.SignedAttributes(c.Digest)
			require.Equal(t, []byte(c.SignedAttributes), attrs)

			signature, err := tmpl.Sign(signer(t, v.Signers[c.Signer].Private), attrs)
			require.NoError(t, err)
			require.NoError(t, tmpl.Check(attrs, signature))
			mine, err := tmpl.Finish(attrs, signature)
			require.NoError(t, err)
			verify(t, mine, cert, c.Digest, "accepted")
			if c.ContentInfo == nil { // RSA-PSS: the salt is random
				return
			}
			verify(t, c.ContentInfo, cert, c.Digest, c.Expect)
			require.NoError(t, tmpl.Check(attrs, c.Signature))
			same, err := tmpl.Finish(attrs, c.Signature)
			require.NoError(t, err)
			require.Equal(t, []byte(c.ContentInfo), same)
		})
	}
}

func TestCMSVariants(t *testing.T) {
	var v cmsVectors
	load(t, "cms.json", &v)
	require.NotEmpty(t, v.Variants)
	for _, c := range v.Variants {
		t.Run(c.What, func(t *testing.T) {
			verify(t, c.ContentInfo, certificate(t, v.Signers[c.Signer].Certificate), c.Digest, c.Expect)
		})
	}
}

// verify holds the answer to what is expected: "accepted" or a reason of package cms.
func verify(t *testing.T, contentInfo []byte, cert *x509.Certificate, digest []byte, expect string) {
	t.Helper()
	sd, err := cms.Parse(append(contentInfo[:len(contentInfo):len(contentInfo)], make([]byte, 64)...), nil)
	require.NoError(t, err)
	require.Equal(t, len(contentInfo), sd.Length)
	require.Len(t, sd.Signers, 1)
	certs, err := sd.Certificates()
	require.NoError(t, err)
	require.Len(t, certs, 2)
	require.True(t, sd.Signers[0].Matches(cert))
	err = sd.Signers[0].Verify(cert, digest)
	if expect == "accepted" {
		require.NoError(t, err)
		return
	}
	var refused *cms.VerifyError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, cms.Reason(expect), refused.Reason)
}
