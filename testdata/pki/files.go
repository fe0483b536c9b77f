package pki

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// ErrExists is returned by [PKI.Write] when the directory holds something already.
var ErrExists = errors.New("pki: directory exists and is not empty")

// FileError says which file of a PKI on disk cannot be used, and why.
type FileError struct {
	File string // path
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("pki: %s: %v", e.File, e.Err) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// The names of the files in a PKI's directory. Certificates of end entities are
// followed by their chain.
const (
	RootFile    = "root.pem"    // the trust anchor's certificate, PEM
	IssuingFile = "issuing.pem" // the issuing authority's certificate, PEM
	RootCRL     = "root.crl"    // the root's CRL, DER
	IssuingCRL  = "issuing.crl" // the issuing authority's CRL, DER
)

const maxFile = 1 << 20

var crlFiles = [...]string{RootCRL, IssuingCRL}

// keyed are the files of a private key: NAME.key (PKCS #8, 0600) and, but for a bare key,
// NAME.pem.
type keyed struct {
	name string
	id   *Identity      // an end entity, or
	ca   *Authority     // an authority, or
	key  *crypto.Signer // a bare key
}

func (p *PKI) keyed() []keyed {
	return []keyed{
		{name: "root", ca: p.Root},
		{name: "issuing", ca: p.Issuing},
		{name: "stamp-rsa", id: &p.StampRSA},
		{name: "stamp-p256", id: &p.StampP256},
		{name: "tsa", id: &p.TSA},
		{name: "ocsp", id: &p.OCSP},
		{name: "seal-ed25519", key: &p.SealEd25519},
		{name: "seal-p256", key: &p.SealP256},
	}
}

// Write makes the directory dir (0700) with all of the PKI: it appears complete or not
// at all, and survives a crash once Write has returned. The files are root.pem,
// issuing.pem, stamp-rsa.pem, stamp-p256.pem, tsa.pem and ocsp.pem (certificates),
// the same names with .key (PKCS #8 in PEM, 0600), seal-ed25519.key and seal-p256.key,
// root.crl and issuing.crl (DER). It returns [ErrExists] when dir exists and is not
// empty; it never overwrites.
func (p *PKI) Write(dir string) error {
	files, err := p.encode()
	if err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".pki-*") // 0700
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := fill(tmp, files); err != nil {
		return err
	}
	// Only an empty directory makes room; os.Rename leaves any other as it is.
	if st, err := os.Lstat(dir); err == nil && st.IsDir() {
		_ = os.Remove(dir)
	}
	if err := os.Rename(tmp, dir); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: %s", ErrExists, dir)
		}
		return fmt.Errorf("pki: %w", err)
	}
	return syncDir(filepath.Dir(dir))
}

// WriteCRLs replaces the two CRLs in dir, which Write made, each atomically.
func (p *PKI) WriteCRLs(dir string) error {
	for i, name := range crlFiles {
		if err := replace(filepath.Join(dir, name), p.CRLs[i]); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

// Load reads a PKI that Write made. Certificates must chain to the root, keys belong to
// their certificates, and CRLs be signed by their authorities; otherwise it returns a
// *[FileError]. It does not ask whether anything has expired. Of opt, Now and URL count,
// and Name for what is issued later.
func Load(dir string, opt *Options) (*PKI, error) {
	p := &PKI{opt: withDefaults(opt), Root: &Authority{}, Issuing: &Authority{}}
	for _, k := range p.keyed() {
		if err := k.load(dir); err != nil {
			return nil, err
		}
	}
	if err := p.checkChain(dir); err != nil {
		return nil, err
	}
	for i, a := range p.authorities() {
		if err := p.loadCRL(filepath.Join(dir, crlFiles[i]), a); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *PKI) encode() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for i, name := range crlFiles {
		files[name] = p.CRLs[i]
	}
	for _, k := range p.keyed() {
		var key crypto.Signer
		switch {
		case k.ca != nil:
			files[k.name+".pem"], key = encodeCerts(k.ca.Cert), k.ca.Key
		case k.id != nil:
			files[k.name+".pem"], key = k.id.PEM(), k.id.Key
		default:
			key = *k.key
		}
		secret, err := encodeKey(key)
		if err != nil {
			return nil, err
		}
		files[k.name+".key"] = secret
	}
	return files, nil
}

func (k keyed) load(dir string) error {
	file := filepath.Join(dir, k.name+".key")
	key, err := loadKey(file)
	if err != nil {
		return &FileError{File: file, Err: err}
	}
	if k.key != nil {
		*k.key = key
		return nil
	}
	file = filepath.Join(dir, k.name+".pem")
	certs, err := loadCerts(file)
	if err != nil {
		return &FileError{File: file, Err: err}
	}
	if !samePublic(certs[0].PublicKey, key.Public()) {
		return &FileError{File: file, Err: errors.New("the key beside it is another certificate's")}
	}
	if k.ca != nil {
		k.ca.Cert, k.ca.Key = certs[0], key
		return nil
	}
	k.id.Cert, k.id.Chain, k.id.Key = certs[0], certs[1:], key
	return nil
}

func (p *PKI) checkChain(dir string) error {
	if err := p.Root.Cert.CheckSignatureFrom(p.Root.Cert); err != nil {
		return &FileError{File: filepath.Join(dir, RootFile), Err: err}
	}
	if err := p.Issuing.Cert.CheckSignatureFrom(p.Root.Cert); err != nil {
		return &FileError{File: filepath.Join(dir, IssuingFile), Err: err}
	}
	for _, k := range p.keyed() {
		if k.id == nil {
			continue
		}
		if err := k.id.Cert.CheckSignatureFrom(p.Issuing.Cert); err != nil {
			return &FileError{File: filepath.Join(dir, k.name+".pem"), Err: err}
		}
		p.note(k.id.Cert)
	}
	return nil
}

func (p *PKI) loadCRL(file string, a *Authority) error {
	der, err := readFile(file)
	if err != nil {
		return &FileError{File: file, Err: err}
	}
	crl, err := x509.ParseRevocationList(der)
	if err == nil {
		err = crl.CheckSignatureFrom(a.Cert)
	}
	if err == nil && crl.Number == nil {
		err = errors.New("the CRL has no number")
	}
	if err != nil {
		return &FileError{File: file, Err: err}
	}
	a.crl, p.CRLs = crl, append(p.CRLs, der)
	return nil
}

func loadKey(file string) (crypto.Signer, error) {
	b, err := readFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("no PKCS #8 key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign", key)
	}
	return signer, nil
}

func loadCerts(file string) ([]*x509.Certificate, error) {
	b, err := readFile(file)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return certs, nil
}

func readFile(file string) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%d bytes are too many", st.Size())
	}
	return os.ReadFile(file)
}

func samePublic(a, b crypto.PublicKey) bool {
	eq, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && eq.Equal(b)
}

func fill(dir string, files map[string][]byte) error {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		mode := fs.FileMode(0o644)
		if filepath.Ext(name) == ".key" {
			mode = 0o600
		}
		if err := writeSynced(filepath.Join(dir, name), files[name], mode); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

func replace(file string, b []byte) error {
	tmp := file + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pki: %w", err)
	}
	if err := writeSynced(tmp, b, 0o644); err != nil {
		return err
	}
	if err := os.Rename(tmp, file); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	return nil
}

func writeSynced(file string, b []byte, mode fs.FileMode) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("pki: %w", cerr)
		}
	}()
	if _, err := f.Write(b); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	return nil
}
