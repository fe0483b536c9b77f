//go:build cgo

package pkcs11_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// importKeys makes keys and writes them into each of the tokens.
func importKeys(dir string, tokens ...string) error {
	for label, id := range keyIDs {
		copies := 1
		if label == "twice" {
			copies = 2
		}
		for range copies {
			key, err := makeKey(label)
			if err != nil {
				return err
			}
			if err := importKey(dir, key, label, id, tokens); err != nil {
				return err
			}
		}
	}
	return nil
}

func makeKey(label string) (crypto.Signer, error) {
	switch label {
	case "rsa":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func importKey(dir string, key crypto.Signer, label string, id []byte, tokens []string) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	for _, token := range tokens {
		out, err := exec.Command("softhsm2-util", "--import", file, "--token", token, "--pin", pin,
			"--label", label, "--id", hex.EncodeToString(id), "--force").CombinedOutput()
		if err != nil {
			return fmt.Errorf("softhsm2-util: %w: %s", err, out)
		}
	}
	return nil
}
