package content_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/pdf/content"
	"github.com/seed-574216e4/meterai/testdata/pdfs"
)

// lastPage reads what is on the last page of a statement of two pages.
func lastPage() (*content.Layout, error) {
	file, err := pdfs.Get("surat-pernyataan.pdf")
	if err != nil {
		return nil, err
	}
	data := file.Bytes()
	f, err := pdf.Open(bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		return nil, err
	}
	page, err := f.Page(-1)
	if err != nil {
		return nil, err
	}
	return content.Read(context.Background(), f, page, nil)
}

func ExampleLayout_Find() {
	l, err := lastPage()
	if err != nil {
		log.Fatal(err)
	}
	for _, box := range l.Find("Yang membuat pernyataan,") {
		fmt.Printf("%.0f\n", l.Seen(box))
	}
	// Output: {349 422 470 433}
}

func ExampleLayout_Free() {
	l, err := lastPage()
	if err != nil {
		log.Fatal(err)
	}
	if spot, ok := l.Free(150, 80, 20, content.BottomLeft); ok {
		fmt.Printf("%.0f\n", spot)
	}
	// Output: {20 43 170 123}
}
