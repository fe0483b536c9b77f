// Command gen makes what testdata/pdf/make.sh needs of Go: the files that package pdfs
// writes itself, a throwaway PKI for the signed ones, a signature by digitorus/pdfsign, and
// big files on request.
//
//	gen handmade DIR           the hand-made files
//	gen damaged DIR            the damaged files
//	gen pki DIR                a new specimen PKI
//	gen pdfsign PKIDIR IN OUT  sign IN with the PKI's RSA e-seal
//	gen list                   the table: name, pages, expectation, signatures, tab between
//	gen scan SIZE OUT          a scan of SIZE bytes
//	gen pages N table|stream OUT  N pages with many objects
package main

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/digitorus/pdfsign"

	"github.com/seed-574216e4/meterai/testdata/pdfs"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: gen list | handmade DIR | damaged DIR | pki DIR | pdfsign PKIDIR IN OUT | scan SIZE OUT | pages N table|stream OUT")

func run(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	command, args := args[0], args[1:]
	switch {
	case command == "list" && len(args) == 0:
		for _, f := range pdfs.Files() {
			fmt.Printf("%s\t%d\t%s\t%d\n", f.Name, f.Pages, f.Expect, f.Signatures)
		}
		return nil
	case command == "handmade" && len(args) == 1:
		return writeFiles(args[0], pdfs.Handmade())
	case command == "damaged" && len(args) == 1:
		files := make(map[string][]byte)
		for _, f := range pdfs.Damaged() {
			files[f.Name+".pdf"] = f.Bytes()
		}
		return writeFiles(args[0], files)
	case command == "pki" && len(args) == 1:
		p, err := pki.New(nil)
		if err != nil {
			return err
		}
		return p.Write(args[0])
	case command == "pdfsign" && len(args) == 3:
		return signWithPdfsign(args[0], args[1], args[2])
	case command == "scan" && len(args) == 2:
		size, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil {
			return err
		}
		return create(args[1], func(w io.Writer) error { return pdfs.Scan(w, size) })
	case command == "pages" && len(args) == 3:
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		kind, ok := map[string]pdfs.XRef{"table": pdfs.Table, "stream": pdfs.Stream}[args[1]]
		if !ok {
			return errUsage
		}
		return create(args[2], func(w io.Writer) error { return pdfs.Pages(w, n, kind) })
	}
	return errUsage
}

func writeFiles(dir string, files map[string][]byte) error {
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func signWithPdfsign(dir, in, out string) error {
	p, err := pki.Load(dir, nil)
	if err != nil {
		return err
	}
	doc, err := pdfsign.OpenFile(in)
	if err != nil {
		return err
	}
	doc.Sign(p.StampRSA.Key, p.StampRSA.Cert, p.StampRSA.Chain...).
		Type(pdfsign.ApprovalSignature).Digest(crypto.SHA256).
		SignerName("Penanda tangan contoh").Location("Jakarta").Reason("Contoh")
	return create(out, func(w io.Writer) error {
		_, err := doc.Write(w)
		return err
	})
}

func create(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
