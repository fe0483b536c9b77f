package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"github.com/seed-574216e4/meterai/sign/remote"
)

// A Credential is a certificate whose key the service holds. It is a
// remote.ContextSigner: each signature is authorized for its digest alone
// (credentials/authorize) and then made (signatures/signHash; CSC API 2.0, 11.6 and
// 11.9). Wrap it with remote.New, which checks what comes back.
type Credential struct {
	ID          string
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // above the certificate, as far as the service gives it

	client *Client
	algo   []string // identifiers of the algorithms that it may be used with
	secret func(ctx context.Context) (string, error)
}

var _ remote.ContextSigner = (*Credential)(nil)

// Credential asks for a credential (credentials/info; CSC API 2.0, 11.5). secret gives
// the PIN that authorizes its signatures; nil: the service wants none. It is called for
// each signature, and what it gives is in no log and no error.
func (c *Client) Credential(ctx context.Context, id string, secret func(ctx context.Context) (string, error)) (*Credential, error) {
	in := map[string]any{"credentialID": id, "certificates": "chain"}
	if c.second {
		in["authInfo"] = true
	}
	var out struct {
		Key struct {
			Status string   `json:"status"`
			Algo   []string `json:"algo"`
		} `json:"key"`
		Cert struct {
			Status       string   `json:"status"`
			Certificates []string `json:"certificates"`
		} `json:"cert"`
	}
	if err := c.call(ctx, "credentials/info", in, &out); err != nil {
		return nil, err
	}
	switch {
	case out.Key.Status != "enabled":
		return nil, fmt.Errorf("csc: the key of the credential is %q", shown(out.Key.Status))
	case out.Cert.Status != "" && out.Cert.Status != "valid":
		return nil, fmt.Errorf("csc: the certificate of the credential is %q", shown(out.Cert.Status))
	}
	certs, err := certificates(out.Cert.Certificates)
	if err != nil {
		return nil, err
	}
	return &Credential{ID: id, Certificate: certs[0], Chain: certs[1:], client: c, algo: out.Key.Algo, secret: secret}, nil
}

func certificates(texts []string) ([]*x509.Certificate, error) {
	if len(texts) == 0 || len(texts) > maxCertificates {
		return nil, fmt.Errorf("csc: a credential with %d certificates", len(texts))
	}
	var out []*x509.Certificate
	for _, text := range texts {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(der) > maxCertificate {
			return nil, errors.New("csc: a certificate that is none")
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("csc: a certificate that is none: %s", shown(err.Error()))
		}
		out = append(out, cert)
	}
	return out, nil
}

// Public is the certificate's public key.
func (c *Credential) Public() crypto.PublicKey { return c.Certificate.PublicKey }

// Sign is SignContext without an end.
func (c *Credential) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return c.SignContext(context.Background(), digest, opts)
}

// SignContext has a digest signed. ECDSA signatures are in DER, whichever form the
// service gives.
func (c *Credential) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	alg, err := c.algorithm(opts)
	if err != nil {
		return nil, err
	}
	hash := base64.StdEncoding.EncodeToString(digest)
	sad, err := c.authorize(ctx, hash, alg)
	if err != nil {
		return nil, err
	}
	in := map[string]any{"credentialID": c.ID, "SAD": sad, "signAlgo": alg.sign}
	if alg.params != "" {
		in["signAlgoParams"] = alg.params
	}
	if c.client.second {
		in["hashes"], in["hashAlgorithmOID"] = []string{hash}, alg.hash
	} else {
		in["hash"], in["hashAlgo"] = []string{hash}, alg.hash
	}
	var out struct {
		Signatures []string `json:"signatures"`
	}
	if err := c.client.call(ctx, "signatures/signHash", in, &out); err != nil {
		return nil, err
	}
	if len(out.Signatures) != 1 {
		return nil, fmt.Errorf("csc: %d signatures for one hash", len(out.Signatures))
	}
	sig, err := base64.StdEncoding.DecodeString(out.Signatures[0])
	if err != nil {
		return nil, errors.New("csc: the signature is not in base64")
	}
	return c.der(sig), nil
}

// authorize gets the signature activation data for one hash.
func (c *Credential) authorize(ctx context.Context, hash string, alg algorithm) (string, error) {
	in := map[string]any{"credentialID": c.ID, "numSignatures": 1}
	pin := ""
	if c.secret != nil {
		var err error
		if pin, err = c.secret(ctx); err != nil {
			return "", fmt.Errorf("csc: PIN: %w", err)
		}
	}
	if c.client.second {
		in["hashes"], in["hashAlgorithmOID"] = []string{hash}, alg.hash
		if pin != "" {
			in["authData"] = []map[string]string{{"id": "PIN", "value": pin}}
		}
	} else {
		in["hash"] = []string{hash}
		if pin != "" {
			in["PIN"] = pin
		}
	}
	var out struct {
		SAD string `json:"SAD"`
	}
	if err := c.client.call(ctx, "credentials/authorize", in, &out); err != nil {
		return "", err
	}
	if out.SAD == "" || len(out.SAD) > maxToken {
		return "", errors.New("csc: the service authorized nothing")
	}
	return out.SAD, nil
}

// An algorithm is how the API names one: dotted identifiers and the parameters of PSS
// as DER in base64.
type algorithm struct{ sign, hash, params string }

// byHash are the identifiers that depend on the hash: of itself, of RSA (PKCS #1 v1.5)
// and of ECDSA with it.
var byHash = map[crypto.Hash][3]string{
	crypto.SHA256: {"2.16.840.1.101.3.4.2.1", "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"},
	crypto.SHA384: {"2.16.840.1.101.3.4.2.2", "1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"},
	crypto.SHA512: {"2.16.840.1.101.3.4.2.3", "1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"},
}

// The identifiers that do not.
const (
	oidRSA     = "1.2.840.113549.1.1.1"
	oidPSS     = "1.2.840.113549.1.1.10"
	oidECKey   = "1.2.840.10045.2.1"
	pssTrailer = 1
)

func (c *Credential) algorithm(opts crypto.SignerOpts) (algorithm, error) {
	names, ok := byHash[opts.HashFunc()]
	if !ok {
		return algorithm{}, fmt.Errorf("%w: csc: hash %v is not supported", remote.ErrRefused, opts.HashFunc())
	}
	a, general := algorithm{hash: names[0]}, oidRSA
	switch c.Certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		a.sign = names[1]
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			var err error
			if a.params, err = pssParameters(pss); err != nil {
				return a, err
			}
			a.sign = oidPSS
		}
	case *ecdsa.PublicKey:
		a.sign, general = names[2], oidECKey
	default:
		return a, fmt.Errorf("%w: csc: %T is not supported", remote.ErrRefused, c.Certificate.PublicKey)
	}
	if !slices.Contains(c.algo, a.sign) && !slices.Contains(c.algo, general) {
		return a, fmt.Errorf("%w: csc: the key may not be used with %s", remote.ErrRefused, a.sign)
	}
	return a, nil
}

// pssParameters is RSASSA-PSS-params (RFC 8017, A.2.3).
func pssParameters(opts *rsa.PSSOptions) (string, error) {
	salt := opts.SaltLength
	if salt == rsa.PSSSaltLengthEqualsHash {
		salt = opts.Hash.Size()
	}
	if salt < 0 {
		return "", fmt.Errorf("%w: csc: the salt of PSS needs a length", remote.ErrRefused)
	}
	hash := pkix.AlgorithmIdentifier{Algorithm: parsed(byHash[opts.Hash][0]), Parameters: asn1.NullRawValue}
	inner, err := asn1.Marshal(hash)
	if err != nil {
		return "", err
	}
	der, err := asn1.Marshal(struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
		MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
		Salt int                      `asn1:"explicit,tag:2"`
		Last int                      `asn1:"explicit,tag:3,default:1"`
	}{hash, pkix.AlgorithmIdentifier{
		Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}, Parameters: asn1.RawValue{FullBytes: inner},
	}, salt, pssTrailer})
	return base64.StdEncoding.EncodeToString(der), err
}

// parsed reads one of our own dotted identifiers.
func parsed(dotted string) (oid asn1.ObjectIdentifier) {
	n := 0
	for _, c := range dotted + "." {
		if c == '.' {
			oid, n = append(oid, n), 0
			continue
		}
		n = 10*n + int(c-'0')
	}
	return oid
}

// der turns r || s, which some services give, into DER; everything else stays.
func (c *Credential) der(sig []byte) []byte {
	pub, ok := c.Certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return sig
	}
	size := (pub.Curve.Params().N.BitLen() + 7) / 8
	var is struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &is); err == nil && len(rest) == 0 || len(sig) != 2*size {
		return sig
	}
	is.R, is.S = new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])
	der, err := asn1.Marshal(is)
	if err != nil {
		return sig
	}
	return der
}
