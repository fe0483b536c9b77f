package sign

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/internal/artwork"
	"github.com/seed-574216e4/meterai/sign/seal"
)

const maxSource = 1<<40 - 1 // bytes of the document, five bytes in the seal

// contentRoom is a little more than the appearance of a stamp takes, in bytes.
const contentRoom = 28 << 10

// appearances saves the garbage collector an appearance for every document.
var appearances = sync.Pool{New: func() any { return new([contentRoom]byte) }}

// digits stands for the number of a seal without TLVs: 0x01 and 130 bytes always
// make 314 digits.
var digits = strings.Repeat("9", 314)

// check validates what all stamps of the tariff share and gives the public
// seal key.
func (s *Stamp) check() (*seal.Key, error) {
	if s.Value == 0 {
		return nil, &StampError{What: "the value must not be zero"}
	}
	if c := s.currency(); len(c) != 3 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return nil, &StampError{What: "the currency is not a code of three letters"}
	}
	if _, err := s.symbolSize(); err != nil {
		return nil, err
	}
	return s.sealKey()
}

// sealKey gives the public seal key, which both fields must agree on.
func (s *Stamp) sealKey() (*seal.Key, error) {
	if s.Seal == nil {
		if s.Key == nil {
			return nil, &StampError{What: "it needs a seal key", Err: ErrNoKey}
		}
		return s.Key, nil
	}
	key, err := seal.NewKey(s.Seal.Public())
	if err != nil {
		return nil, &StampError{What: "seal key", Err: err}
	}
	if s.Key != nil && s.Key.Hash() != key.Hash() {
		return nil, &StampError{What: "Seal and Key are two different keys"}
	}
	return key, nil
}

func (s *Stamp) currency() string {
	if s.Currency == "" {
		return "IDR"
	}
	return s.Currency
}

// symbolSize is the size of every symbol of this tariff, in modules: a seal
// always has the same number of digits.
func (s *Stamp) symbolSize() (int, error) {
	n, err := seal.SymbolSize(s.Prefix + digits)
	if err != nil {
		return 0, &StampError{What: "prefix", Err: err}
	}
	return n, nil
}

func (s *Stamp) words() string {
	switch {
	case s.Words != "":
		return s.Words
	case s.currency() == "IDR":
		return artwork.Words(s.Value)
	}
	return s.Currency
}

// NaturalSize is the size in points in which the tariff's stamps are drawn
// with modules of 0.45 mm.
func (s *Stamp) NaturalSize() (width, height float64, err error) {
	n, err := s.symbolSize()
	if err != nil {
		return 0, 0, err
	}
	width, height = artwork.DefaultSize(n)
	return width, height, nil
}

// NewSeal is the unsigned seal of this document, for a seal key that is
// elsewhere: have its Message signed, Finish it and pass the bytes in
// [Issue.Seal] with the same number and time.
func (d *Document) NewSeal(ctx context.Context, is Issue) (*seal.Seal, error) {
	if d.opt.Stamp == nil {
		return nil, &StampError{What: "the options ask for no stamp"}
	}
	if _, err := d.Digest(ctx); err != nil {
		return nil, err
	}
	return d.newSeal(is.withTime())
}

func (d *Document) newSeal(is Issue) (*seal.Seal, error) {
	if is.Number.IsZero() {
		return nil, &StampError{What: "it needs a serial number"}
	}
	return &seal.Seal{
		Specimen:       d.opt.Stamp.Specimen,
		Serial:         is.Number,
		Issued:         is.Time,
		Value:          d.opt.Stamp.Value,
		DocumentLength: d.file.Size(),
		DocumentDigest: *d.digest,
	}, nil
}

// sealed gives the encoded seal: the caller's, if it is for this document and
// issue and verifies, else a new one.
func (d *Document) sealed(ctx context.Context, is Issue) ([]byte, error) {
	want, err := d.newSeal(is)
	if err != nil {
		return nil, err
	}
	if is.Seal != nil {
		return is.Seal, d.checkSeal(is.Seal, want)
	}
	if d.opt.Stamp.Seal == nil {
		return nil, &StampError{What: "no seal was given", Err: ErrNoKey}
	}
	encoded, err := want.SignWith(d.key, withContext(ctx, d.opt.Stamp.Seal))
	if err != nil {
		return nil, &StampError{What: "seal", Err: err}
	}
	return encoded, nil
}

// checkSeal says whether a seal that the caller brought is the one wanted.
func (d *Document) checkSeal(encoded []byte, want *seal.Seal) error {
	got, err := seal.Parse(encoded)
	if err != nil {
		return &StampError{What: "seal", Err: err}
	}
	if got.Specimen != want.Specimen || got.Serial != want.Serial || !got.Issued.Equal(want.Issued) || got.Value != want.Value ||
		got.DocumentLength != want.DocumentLength || got.DocumentDigest != want.DocumentDigest {
		return &StampError{What: "the seal given was made for something else"}
	}
	if len(got.Extra) > 0 {
		return &StampError{What: "the seal given has extra fields, which make another symbol"}
	}
	if err := got.Verify(d.key); err != nil {
		return &StampError{What: "seal", Err: err}
	}
	return nil
}

// addStamp makes the seal and its appearance and names both in the
// dictionaries. The appearance is in room until the update is written.
func (d *Document) addStamp(ctx context.Context, is Issue, signature, widget pdf.Dict, room []byte, res *Result) error {
	encoded, err := d.sealed(ctx, is)
	if err != nil {
		return err
	}
	text, err := seal.Text(d.opt.Stamp.Prefix, encoded)
	if err != nil {
		return &StampError{What: "seal", Err: err}
	}
	symbol, err := seal.NewSymbol(text)
	if err != nil {
		return &StampError{What: "seal", Err: err}
	}
	in := d.opt.Stamp.artwork(d.place.width, d.place.height)
	in.Symbol, in.Serial = symbol, is.Number
	content, err := artwork.Append(room, in)
	if err != nil {
		return &StampError{What: "appearance", Err: err}
	}
	d.plan.update.Set(d.plan.appearance, &pdf.Stream{Dict: pdf.Dict{
		"Type":      pdf.Name("XObject"),
		"Subtype":   pdf.Name("Form"),
		"BBox":      pdf.Rect{URX: d.place.width, URY: d.place.height}.Array(),
		"Matrix":    d.place.matrix.Array(),
		"Resources": pdf.Raw(artwork.Resources()),
	}, Data: content})
	widget["AP"] = pdf.Dict{"N": d.plan.appearance}
	signature["MeteraiSeal"] = hexString(encoded)
	res.Seal, res.SealText = encoded, text
	res.Page, res.Rect = d.place.page.Number, d.place.seen
	return nil
}

// artwork is what the stamps of this tariff show in a box, but for symbol and
// serial number.
func (s *Stamp) artwork(width, height float64) *artwork.Input {
	return &artwork.Input{
		Width: width, Height: height,
		Figures:  strconv.FormatUint(uint64(s.Value), 10),
		Words:    s.words(),
		Specimen: s.Specimen,
	}
}
