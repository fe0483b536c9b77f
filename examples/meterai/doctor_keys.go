package main

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// checkPKI looks at the certificates, their keys and what is trusted.
func (d *doctor) checkPKI(scheme *serial.Scheme) {
	const check = "certificates"
	p, err := pki.Load(d.home.pki(), nil) // keys belong to certificates, these to the root
	if err != nil {
		d.fail(check, "restore the folder pki from its backup", "%v", err)
		return
	}
	renew := "get a new certificate for this key, or another key, from the certificate authority"
	for _, c := range []struct {
		name string
		cert *x509.Certificate
	}{
		{"root", p.Root.Cert}, {"issuing authority", p.Issuing.Cert}, {"e-seal, P-256", p.StampP256.Cert}, {"e-seal, RSA", p.StampRSA.Cert},
	} {
		d.ends(check, c.name, c.cert.NotBefore, c.cert.NotAfter, certificateNotice, renew)
	}
	d.checkLists(p)
	d.checkTrust(p, scheme)
}

func (d *doctor) checkLists(p *pki.PKI) {
	const check = "revocation lists"
	for i, l := range p.RevocationLists() {
		name := [...]string{pki.RootCRL, pki.IssuingCRL}[i]
		d.ends(check, name, l.ThisUpdate, l.NextUpdate, listNotice, "fetch a new list: with an old one stamps verify only as INDETERMINATE")
		for _, c := range []*x509.Certificate{p.Issuing.Cert, p.StampP256.Cert, p.StampRSA.Cert} {
			revoked := slices.ContainsFunc(l.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
				return e.SerialNumber.Cmp(c.SerialNumber) == 0
			})
			if revoked && string(l.RawIssuer) == string(c.RawIssuer) {
				d.fail(check, "stop signing with it", "%s is revoked", c.Subject.CommonName)
			}
		}
	}
}

// checkTrust holds each seal key to the published trust list, at last by making a
// seal and verifying it as everybody will.
func (d *doctor) checkTrust(p *pki.PKI, scheme *serial.Scheme) {
	const check = "seal trust"
	opt, err := d.home.verifyOptions()
	if err != nil {
		d.fail(check, "restore seal-trust.json and the folder pki from their backup", "%v", err)
		return
	}
	opt.Time = d.now()
	for _, k := range []struct {
		name   string
		signer crypto.Signer
	}{{"P-256", p.SealP256}, {"Ed25519", p.SealEd25519}} {
		e, err := verify.TrustKey(k.signer.Public(), p.StampP256.Cert, p.StampRSA.Cert)
		var own *seal.Key
		if err == nil {
			own, err = e.Key()
		}
		if err != nil {
			d.fail(check, "restore the key from its backup", "seal key %s: %v", k.name, err)
			continue
		}
		at := slices.IndexFunc(opt.SealTrust.Entries, func(other verify.SealTrustEntry) bool {
			key, err := other.Key()
			return err == nil && key.Hash() == own.Hash()
		})
		if at < 0 {
			d.fail(check, "publish its entry (verify.TrustKey), or restore the key that is published", "no entry for the seal key %s", k.name)
			continue
		}
		d.checkEntry(fmt.Sprintf("%s (id %x)", k.name, own.ID()), k.signer, opt, &opt.SealTrust.Entries[at], e.Certificates, scheme)
	}
}

func (d *doctor) checkEntry(name string, signer crypto.Signer, opt *verify.Options, e *verify.SealTrustEntry, carriers []string, scheme *serial.Scheme) {
	const check = "seal trust"
	for _, c := range carriers {
		if !slices.ContainsFunc(e.Certificates, func(other string) bool { return strings.EqualFold(other, c) }) {
			d.warn(check, "add its fingerprint to the entry's certificates", "the certificate %s... may not carry seals of the key %s", c[:16], name)
		}
	}
	if scheme == nil {
		return
	}
	if !e.NotAfter.IsZero() {
		d.ends(check, "the entry of the key "+name, e.NotBefore, e.NotAfter, certificateNotice, "publish an entry with a later end, or a new key")
	}
	report, err := trialSeal(signer, scheme, e.Specimen, d.now(), opt)
	switch {
	case err != nil:
		d.fail(check, "restore the key from its backup", "the seal key %s makes no seal: %v", name, err)
	case !report.Genuine:
		d.fail(check, "correct the entry of this key and publish it again", "seals of the key %s do not verify: %s", name, strings.Join(report.Reasons, "; "))
	default:
		d.ok(check, "seals of the key %s verify, as %s", name, map[bool]string{true: "SPECIMEN", false: "stamps"}[e.Specimen])
	}
}

// trialSeal makes a seal that is shown to nobody and verifies it.
func trialSeal(signer crypto.Signer, scheme *serial.Scheme, specimen bool, now time.Time, opt *verify.Options) (*verify.SealReport, error) {
	n, err := scheme.Number(0)
	if err != nil {
		return nil, err
	}
	s := &seal.Seal{Specimen: specimen, Serial: n, Issued: now.Truncate(time.Second), Value: tariff, DocumentLength: 1}
	encoded, err := s.Sign(signer)
	if err != nil {
		return nil, err
	}
	text, err := seal.Text("", encoded)
	if err != nil {
		return nil, err
	}
	return verify.Seal(text, opt)
}

// issuing is the authority whose certificates OCSP and CRLs are asked about; nil
// without a directory.
func (d *doctor) issuing() (*pki.PKI, error) {
	if d.home.dir == "" {
		return nil, errNone
	}
	return pki.Load(filepath.Clean(d.home.pki()), nil)
}
