package trust

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// MaxFile is how much is read of one file, in bytes: revocation lists of large
// authorities have some tens of megabytes.
const MaxFile = 64 << 20

// Files names the files of a set.
type Files struct {
	// Dir is a directory made by "meterai init", for what is not named below.
	Dir string
	// Roots is a PEM file of root certificates.
	Roots string
	// CRLs are files with revocation lists, PEM or DER each.
	CRLs []string
	// SealTrust is the JSON file of the seal keys.
	SealTrust string
	// Status are files with the lists of void serials that issuers publish.
	Status []string
}

// withDir fills in the names that a directory made by "meterai init" has.
func (f Files) withDir() Files {
	if f.Dir == "" {
		return f
	}
	pki := filepath.Join(f.Dir, "pki")
	if f.Roots == "" {
		f.Roots = filepath.Join(pki, "root.pem")
	}
	if len(f.CRLs) == 0 {
		f.CRLs = []string{filepath.Join(pki, "root.crl"), filepath.Join(pki, "issuing.crl")}
	}
	if f.SealTrust == "" {
		f.SealTrust = filepath.Join(f.Dir, "seal-trust.json")
	}
	if list := filepath.Join(f.Dir, "status.list"); len(f.Status) == 0 { // there once something was published
		if _, err := os.Stat(list); err == nil {
			f.Status = []string{list}
		}
	}
	return f
}

// Load reads the files as they are now.
func Load(files *Files) (*Set, error) {
	f := files.withDir()
	if f.Roots == "" {
		return nil, errors.New("trust: which root certificates?")
	}
	roots, err := read(f.Roots)
	if err != nil {
		return nil, err
	}
	var crls, sealTrust []byte
	for _, name := range f.CRLs {
		b, err := read(name)
		if err != nil {
			return nil, err
		}
		list, err := lists(b)
		if err == nil && len(list) == 0 {
			err = ErrEmpty
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, l := range list {
			crls = append(crls, pem.EncodeToMemory(&pem.Block{Type: typeCRL, Bytes: l.Raw})...)
		}
	}
	if f.SealTrust != "" {
		if sealTrust, err = read(f.SealTrust); err != nil {
			return nil, err
		}
	}
	status, err := f.ReadStatus()
	if err != nil {
		return nil, err
	}
	return Parse(roots, crls, sealTrust, status...)
}

// ReadStatus reads the files of [Files.Status] as they are, to publish them again.
func (f *Files) ReadStatus() ([][]byte, error) {
	var all [][]byte
	for _, name := range f.withDir().Status {
		b, err := read(name)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// read reads a file that is not longer than MaxFile.
func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, MaxFile)
	}
	return b, nil
}
