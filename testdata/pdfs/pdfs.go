// Package pdfs has the PDF files that tests use: small ones of many producers and shapes,
// with what is expected of each ([Files]), damaged ones ([Damaged]), and big ones that are
// made on the fly ([Scan], [Pages]).
//
//	for _, f := range pdfs.Files() { stamp(f.Bytes()); ... }
//	err := pdfs.Scan(w, 20<<20) // 20 MiB of scanned pages
//
// Everything is deterministic: the same call gives the same bytes.
package pdfs

import (
	"bytes"
	"fmt"
	"io/fs"
	"sort"

	"github.com/seed-574216e4/meterai/testdata"
)

// Expect says what a stamping library shall do with a file.
type Expect string

// What may be expected.
const (
	Stampable    Expect = "stampable"      // stamp it
	Encrypted    Expect = "encrypted"      // refuse without File.Password, stamp with it
	Restricted   Expect = "restricted"     // refuse without the owner's password: the author permits no new form fields
	CertifiedP1  Expect = "certified, P=1" // refuse: certified, no changes allowed (ISO 32000-2, 12.8.2.2)
	CertifiedP2  Expect = "certified, P=2" // form filling and signing existing fields only: say so before stamping
	NotPDF       Expect = "not a PDF"      // refuse: nothing of a PDF file in it
	CertifiedP3  Expect = "certified, P=3" // readers disagree on new signature fields: say so before stamping
	Malformed    Expect = "malformed"      // refuse: only a repair would open it
	BeyondLimits Expect = "beyond limits"  // refuse: within the grammar, but built to exhaust its reader
)

// OwnerPassword is the owner password of every encrypted file.
const OwnerPassword = "pemilik"

// File is one file and what is expected of it.
type File struct {
	Name       string // such as "classic.pdf"; checked-in files are at testdata/pdf/Name
	Pages      int    // number of pages, 0 when nobody can say
	Shows      string // what is special about it
	Expect     Expect
	Signatures int    // signatures it has already, all intact
	Password   string // user password of an encrypted file; the owner's is OwnerPassword
	data       func() []byte
}

// Bytes returns a new copy of the file's bytes.
func (f File) Bytes() []byte { return f.data() }

// Files returns the checked-in files, in order of name.
func Files() []File {
	out := make([]File, 0, len(table))
	for _, f := range table {
		f.data = embedded(f.Name)
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// StampableFiles returns those of [Files] that are to be stamped.
func StampableFiles() []File {
	var out []File
	for _, f := range Files() {
		if f.Expect == Stampable {
			out = append(out, f)
		}
	}
	return out
}

// Get returns the file of that name, checked in or damaged. It fails with
// [fs.ErrNotExist] when there is none.
func Get(name string) (File, error) {
	for _, f := range append(Files(), Damaged()...) {
		if f.Name == name {
			return f, nil
		}
	}
	return File{}, fmt.Errorf("pdfs: %s: %w", name, fs.ErrNotExist)
}

// Handmade returns the checked-in files that this package wrote itself, by name.
func Handmade() map[string][]byte {
	out := make(map[string][]byte, len(handmade))
	for name, write := range handmade {
		out[name] = write()
	}
	return out
}

// SignersPEM returns the roots, in PEM, of the signatures that the checked-in files have.
// They are throwaway specimens whose keys no longer exist.
func SignersPEM() []byte { return embedded("signers/root.pem")() }

// SignersCRLs returns the CRLs, in DER, of the root and of the issuing authority behind
// those signatures, as they were when the files were signed.
func SignersCRLs() [][]byte {
	return [][]byte{embedded("signers/root.crl")(), embedded("signers/issuing.crl")()}
}

func embedded(name string) func() []byte {
	return func() []byte {
		b, err := testdata.FS.ReadFile("pdf/" + name)
		if err != nil {
			// The table and the embedded files are one program; a test holds them together.
			panic(err)
		}
		return bytes.Clone(b)
	}
}
