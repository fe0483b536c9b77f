// Package testdata embeds the checked-in test data, so that tests and tools can use it
// from any directory: PDF files under pdf, vectors under vectors. What each file is and
// how it was made stands in README.md; package pdfs has the PDF files as a table.
package testdata

import "embed"

// FS holds pdf/*.pdf, pdf/signers/* and vectors/*.json.
//
//go:embed pdf/*.pdf pdf/signers vectors/*.json
var FS embed.FS
