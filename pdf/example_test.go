package pdf_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

func ExampleOpen() {
	data := newBuilder().onePage().table("").Bytes() // any file behind an io.ReaderAt
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		log.Fatal(err)
	}
	n, err := f.PageCount()
	if err != nil {
		log.Fatal(err)
	}
	page, err := f.Page(-1)
	if err != nil {
		log.Fatal(err)
	}
	w, h := page.Size()
	fmt.Printf("PDF %s, %d page, %g x %g\n", f.Version(), n, w, h)
	// Output: PDF 1.7, 1 page, 612 x 792
}

func ExampleUpdate() {
	data := newBuilder().onePage().table("").Bytes()
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		log.Fatal(err)
	}
	page, err := f.Page(1)
	if err != nil {
		log.Fatal(err)
	}
	u := pdf.NewUpdate(f)
	note := u.Add(pdf.Dict{
		"Type":     pdf.Name("Annot"),
		"Subtype":  pdf.Name("Text"),
		"Contents": pdf.TextString("paid"),
		"Rect":     page.UserRect(pdf.NewRect(36, 36, 56, 56)).Array(),
	})
	annots, err := f.Annotations(page)
	if err != nil {
		log.Fatal(err)
	}
	page.Dict["Annots"] = append(annots, note)
	u.Set(page.Ref, page.Dict)
	tail, err := u.Bytes()
	if err != nil {
		log.Fatal(err)
	}
	updated := append(data, tail...)

	f, err = pdf.Open(bytes.NewReader(updated), int64(len(updated)), nil)
	if err != nil {
		log.Fatal(err)
	}
	revisions, err := f.Revisions()
	if err != nil {
		log.Fatal(err)
	}
	changes, err := f.Changed(len(revisions) - 1)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range changes {
		fmt.Println(c.Ref)
	}
	// Output:
	// 3 0 R
	// 5 0 R
}

func ExampleFile_Fields() {
	data := formFile("10 0 R", "<</T(contract)/Kids[11 0 R]>>", "<</T(signature)/FT/Sig/Subtype/Widget>>")
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		log.Fatal(err)
	}
	err = f.Fields(func(fd *pdf.Field) error {
		fmt.Println(fd.Name, fd.Type, fd.Value == nil)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: contract.signature Sig true
}

func ExampleReserved() {
	data := newBuilder().onePage().table("").Bytes()
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		log.Fatal(err)
	}
	place := &pdf.Reserved{Size: 8, Hex: true}
	u := pdf.NewUpdate(f)
	u.Add(pdf.Dict{"Contents": place})
	tail, err := u.Bytes()
	if err != nil {
		log.Fatal(err)
	}
	updated := append(data, tail...)
	copy(updated[place.Offset:], "<C0FFEE>")
	fmt.Printf("%s\n", updated[place.Offset:place.Offset+int64(place.Size)])
	// Output: <C0FFEE>
}

func ExampleAppendObject() {
	b := pdf.AppendObject(nil, pdf.Dict{"Type": pdf.Name("Sig"), "Reason": pdf.String("(paid)")})
	os.Stdout.Write(append(b, '\n'))
	// Output: <</Reason(\(paid\))/Type/Sig>>
}

// A file that opens with the empty password is read as any other; its author may
// have restricted what is done with it.
func ExampleFile_Encryption() {
	file, err := pdfs.Get("encrypted-restricted.pdf")
	if err != nil {
		log.Fatal(err)
	}
	for _, password := range []string{"", pdfs.OwnerPassword} {
		f, err := pdf.Open(bytes.NewReader(file.Bytes()), int64(len(file.Bytes())), &pdf.Options{Password: password})
		if err != nil {
			log.Fatal(err)
		}
		e, err := f.Encryption()
		if err != nil {
			log.Fatal(err) // pdf.ErrEncrypted asks for a password
		}
		fmt.Println(e.KeyBits, e.Owner, e.Allows(pdf.PermitForms), e.Allows(pdf.PermitNewFields))
	}
	// Output:
	// 256 false true false
	// 256 true true true
}

// A file that lost its end is refused, unless it may be read by repair.
func ExampleFile_Repaired() {
	file, err := pdfs.Get("classic.pdf")
	if err != nil {
		log.Fatal(err)
	}
	whole := file.Bytes()
	cut := whole[:bytes.LastIndex(whole, []byte("xref"))]
	_, err = pdf.Open(bytes.NewReader(cut), int64(len(cut)), nil)
	fmt.Println(errors.Is(err, pdf.ErrDamaged))

	f, err := pdf.Open(bytes.NewReader(cut), int64(len(cut)), &pdf.Options{Repair: pdf.RepairDamaged})
	if err != nil {
		log.Fatal(err)
	}
	page, err := f.Page(-1)
	if err != nil {
		log.Fatal(err)
	}
	how := f.Repaired() // nil for a file that needed none
	fmt.Println(page.Number, how != nil, how.Ambiguities)
	// Output:
	// true
	// 1 true []
}
