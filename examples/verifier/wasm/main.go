//go:build js && wasm

// Command wasm is the verifier of the page, compiled to WebAssembly. It runs in a
// worker and puts one object, meterai, into its global scope:
//
//	trust(roots, crls, seals, status)      what is trusted from now on: the files as bytes; status may be empty
//	document(read, size, password, seal)   judges a PDF; seal may be ""
//	seal(text)                             judges the text of a printed seal
//	scan(rgba, width, height)              the texts of QR symbols in a picture
//
// Each gives JSON: {"error": "..."} or an object of its own, see answer. read is a
// function (offset, length) that gives a Uint8Array, or null when the file cannot
// be read; the document is never held as a whole. There is no network here and
// nothing that could send the document anywhere.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"io"
	"syscall/js"

	"github.com/seed-574216e4/meterai/examples/verifyd/trust"
	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/verify"
	"github.com/seed-574216e4/meterai/verify/scan"
)

func main() {
	v := &verifier{options: &verify.Options{}}
	api := js.Global().Get("Object").New()
	for name, do := range map[string]func([]js.Value) any{
		"trust": v.trust, "document": v.document, "seal": v.seal, "scan": v.scan,
	} {
		api.Set(name, js.FuncOf(func(_ js.Value, args []js.Value) any { return do(args) }))
	}
	js.Global().Set("meterai", api)
	select {} // what was set is called from now on
}

// A verifier is the state of the page's worker.
type verifier struct {
	options *verify.Options
}

// An answer is what every function gives, as JSON.
type answer struct {
	Error    string             `json:"error,omitempty"`
	Document *verify.Report     `json:"document,omitempty"`
	Locked   bool               `json:"locked,omitempty"` // a password is needed to read the document
	Seal     *verify.SealReport `json:"seal,omitempty"`
	Texts    []string           `json:"texts,omitempty"`
	Trust    *trustSummary      `json:"trust,omitempty"`
}

// A trustSummary tells people what the answers rest on.
type trustSummary struct {
	Roots      []string `json:"roots"`       // common names
	Keys       int      `json:"keys"`        // entries for seals
	Specimen   bool     `json:"specimen"`    // of which all are for specimens
	NextUpdate string   `json:"next_update"` // of the first revocation list, RFC 3339, or ""
}

func (a *answer) text() any {
	b, err := json.Marshal(a)
	if err != nil {
		return `{"error":"the answer could not be written"}`
	}
	return string(b)
}

func failed(err error) any { return (&answer{Error: err.Error()}).text() }

var errUsage = errors.New("wrong arguments")

// has tells whether the arguments are of these types.
func has(args []js.Value, types ...js.Type) bool {
	if len(args) != len(types) {
		return false
	}
	for i, t := range types {
		if args[i].Type() != t {
			return false
		}
	}
	return true
}

func (v *verifier) trust(args []js.Value) any {
	if !has(args, js.TypeObject, js.TypeObject, js.TypeObject, js.TypeObject) {
		return failed(errUsage)
	}
	var files [4][]byte
	for i := range files {
		files[i] = make([]byte, args[i].Length())
		js.CopyBytesToGo(files[i], args[i])
	}
	var status [][]byte
	if len(files[3]) > 0 {
		status = files[3:]
	}
	set, err := trust.Parse(files[0], files[1], files[2], status...)
	if err != nil {
		return failed(err)
	}
	v.options = set.Options()
	sum := &trustSummary{Roots: []string{}, Specimen: true}
	for _, c := range set.Roots {
		sum.Roots = append(sum.Roots, c.Subject.CommonName)
	}
	if set.SealTrust != nil {
		sum.Keys = len(set.SealTrust.Entries)
		for _, e := range set.SealTrust.Entries {
			sum.Specimen = sum.Specimen && e.Specimen
		}
	}
	if t := set.NextUpdate(); !t.IsZero() {
		sum.NextUpdate = t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return (&answer{Trust: sum}).text()
}

func (v *verifier) document(args []js.Value) any {
	if !has(args, js.TypeFunction, js.TypeNumber, js.TypeString, js.TypeString) {
		return failed(errUsage)
	}
	ctx := context.Background()
	size := int64(args[1].Float())
	file := newBlob(args[0], size)
	opt := *v.options
	opt.Password = args[2].String()
	report, err := verify.Document(ctx, file, size, &opt)
	if err != nil {
		return failed(err)
	}
	a := &answer{Document: report, Locked: report.Indication == verify.Unreadable && locked(file, size, opt.Password)}
	if text := args[3].String(); text != "" {
		if a.Seal, err = verify.SealForDocument(ctx, text, file, size, &opt); err != nil {
			return failed(err)
		}
	}
	return a.text()
}

// locked tells whether it is a password that is missing.
func locked(r io.ReaderAt, size int64, password string) bool {
	f, err := pdf.Open(r, size, &pdf.Options{Password: password})
	if err == nil {
		_, err = f.Encryption()
	}
	return errors.Is(err, pdf.ErrEncrypted)
}

func (v *verifier) seal(args []js.Value) any {
	if !has(args, js.TypeString) {
		return failed(errUsage)
	}
	report, err := verify.Seal(args[0].String(), v.options)
	if err != nil {
		return failed(err)
	}
	return (&answer{Seal: report}).text()
}

func (v *verifier) scan(args []js.Value) any {
	if !has(args, js.TypeObject, js.TypeNumber, js.TypeNumber) {
		return failed(errUsage)
	}
	w, h := args[1].Int(), args[2].Int()
	if w <= 0 || h <= 0 || w > maxSide || h > maxSide || args[0].Length() != 4*w*h {
		return failed(errUsage)
	}
	pixels := make([]byte, 4*w*h)
	if js.CopyBytesToGo(pixels, args[0]) != len(pixels) {
		return failed(errUsage)
	}
	img := &image.NRGBA{Pix: pixels, Stride: 4 * w, Rect: image.Rect(0, 0, w, h)}
	texts, err := scan.Image(context.Background(), img, nil)
	if err != nil {
		return failed(err)
	}
	return (&answer{Texts: texts}).text()
}
