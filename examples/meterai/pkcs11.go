package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// hsmFlags name a key in hardware that signs documents.
type hsmFlags struct {
	module       string
	tokens       []string // labels; each has the same key
	key, pinFile string
	cert         string
}

func (f *hsmFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.module, "pkcs11", "", "sign with a key in a token: path of its PKCS #11 library")
	fl.StringArrayVar(&f.tokens, "token", nil, "label of the token; given again, further tokens with the same key")
	fl.StringVar(&f.key, "key-label", "", "label of the key in the token")
	fl.StringVar(&f.pinFile, "pin-file", "", "file whose first line is the token's PIN")
	fl.StringVar(&f.cert, "cert", "", "certificate of the token's key, PEM, with its chain behind it (default: that of the token, or of --dir)")
}

func (f *hsmFlags) check() error {
	switch {
	case f.module == "" && (len(f.tokens) > 0 || f.key != "" || f.pinFile != "" || f.cert != ""):
		return usage("--token, --key-label, --pin-file and --cert need --pkcs11")
	case f.module != "" && (len(f.tokens) == 0 || f.key == "" || f.pinFile == ""):
		return usage("--pkcs11 needs --token, --key-label and --pin-file")
	}
	return nil
}

// credential is the e-seal that signs the documents: a key in a token, or one of the
// directory. close ends the use of the token.
func (f *stampFlags) credential(ctx context.Context, p *pki.PKI) (cred *sign.Credential, close func(), err error) {
	if f.hsm.module == "" {
		cred, err = credential(p, f.algorithm)
		return cred, func() {}, err
	}
	return f.hsm.open(ctx, p, f.workers)
}

// keyName is the part of a stamp's profile that names the key.
func (s *stamper) keyName() string {
	if s.hsm.module == "" {
		return s.algorithm
	}
	sum := sha256.Sum256(s.credential.Certificate().Raw)
	return fmt.Sprintf("token-%x", sum[:8])
}

// readCertificates reads a certificate in PEM and the chain behind it.
func readCertificates(file string) ([]*x509.Certificate, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return out, nil
}

// chainOf completes the chain of a certificate that the directory's authority issued.
func chainOf(p *pki.PKI, certs []*x509.Certificate) []*x509.Certificate {
	if len(certs) == 1 && certs[0].CheckSignatureFrom(p.Issuing.Cert) == nil {
		return []*x509.Certificate{p.Issuing.Cert}
	}
	return certs[1:]
}
