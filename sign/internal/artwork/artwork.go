package artwork

import (
	"math"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// Input is what a stamp shows.
type Input struct {
	Width, Height float64       // box in points; both zero means DefaultSize
	Symbol        *seal.Symbol  // of the seal's text
	Serial        serial.Number // printed in groups
	Figures       string        // tariff, as printed: "10000"; Latin-1
	Words         string        // tariff in words, see [Words]; Latin-1, broken into lines at spaces
	Specimen      bool          // adds SPESIMEN
}

// Resources gives the resource dictionary of the form XObject (ISO 32000-2,
// 7.8.3), as PDF text: the one colour space that the content names, with the
// primaries of sRGB. (Grays are drawn in it too: readers differ in what CalGray
// is.)
func Resources() []byte {
	return []byte("<</ColorSpace<</C[/CalRGB<</WhitePoint[.9505 1 1.089]/Gamma[2.2 2.2 2.2]" +
		"/Matrix[.4124 .2126 .0193 .3576 .7152 .1192 .1805 .0722 .9505]>>]>>>>")
}

// DefaultSize gives the box in points in which a symbol of edge modules, quiet
// zone not counted, is printed with modules of ModuleDefault: 153 x 81 for a
// seal without TLVs at level M (49 modules), which is 54 x 28.6 mm.
func DefaultSize(edge int) (width, height float64) {
	return size(edge, 0, ModuleDefault)
}

// MinSize gives the smallest box in points, with the texts beside the symbol
// or, upright, above and below it.
func MinSize(edge int, upright bool) (width, height float64) {
	which := 0
	if upright {
		which = 1
	}
	return size(edge, which, ModuleMin)
}

// size gives the size of an arrangement at the given module.
func size(edge, which int, module float64) (width, height float64) {
	l := layouts()[which]
	scale := module * pointsPerMM * modules(edge) / symbolEdge
	return l.w * scale, l.h * scale
}

// modules gives the edge of a symbol with its quiet zone.
func modules(edge int) float64 { return float64(edge + 2*seal.Quiet) }

// Check says, as Append would, whether the texts can be drawn and the box holds
// a symbol of edge modules; Symbol and Serial of in are not looked at.
func Check(in *Input, edge int) error {
	set, err := kit()
	if err != nil {
		return err
	}
	if err := set.check(in); err != nil {
		return err
	}
	_, err = place(in, edge)
	return err
}

// Append appends the content stream of a form XObject whose /BBox is
// [0 0 Width Height], /Matrix the identity and /Resources [Resources]. The
// arrangement, texts beside the symbol or above and below it, is the one that
// is larger in the box, and stands in its middle. A box too small for modules
// of ModuleMin is a *SizeError, a text that cannot be drawn a *TextError.
func Append(dst []byte, in *Input) ([]byte, error) {
	if in.Symbol == nil || in.Serial.IsZero() {
		return nil, ErrIncomplete
	}
	set, err := kit()
	if err != nil {
		return nil, err
	}
	if err := set.check(in); err != nil {
		return nil, err
	}
	p, err := place(in, in.Symbol.Size())
	if err != nil {
		return nil, err
	}
	dst = append(dst, "q "...)
	dst = appendReals(dst, 5, p.scale)
	dst = append(dst, "0 0 "...)
	dst = appendReals(dst, 5, p.scale)
	dst = appendReals(dst, 3, p.x, p.y)
	dst = append(dst, "cm\n"...)
	dst = append(dst, set.fixed(p.which, in.Specimen)...)
	dst = set.appendTexts(dst, in, &set.layouts[p.which])
	dst = append(dst, "Q\n/C cs 0 0 0 sc\n"...)
	at := set.layouts[p.which].symbol
	module := p.scale * at.w / modules(in.Symbol.Size())
	return in.Symbol.AppendPath(dst,
		p.x+p.scale*at.x+seal.Quiet*module, p.y+p.scale*at.y+seal.Quiet*module,
		module, shrinkMM*pointsPerMM), nil
}

// check says whether the texts can be drawn.
func (s *set) check(in *Input) error {
	for _, t := range [...]struct {
		field, text string
		max         int
		face        *face
	}{{"figures", in.Figures, maxFigures, s.figures}, {"words", in.Words, maxWords, s.text}} {
		if t.text == "" {
			return &TextError{t.field, 0, "empty"}
		}
		if len(t.text) > t.max {
			return &TextError{t.field, t.max, "too long"}
		}
		if i := t.face.check(t.text); i >= 0 {
			return &TextError{t.field, i, "a character that the font does not have"}
		}
	}
	return nil
}

// placement is where and how large an arrangement stands in the box.
type placement struct {
	which       int
	scale, x, y float64
}

// place chooses the arrangement.
func place(in *Input, edge int) (placement, error) {
	w, h := in.Width, in.Height
	if w == 0 && h == 0 {
		w, h = DefaultSize(edge)
	}
	var best placement
	all := layouts()
	for i := range all {
		if scale := min(w/all[i].w, h/all[i].h); i == 0 || scale > best.scale {
			best = placement{i, scale, (w - scale*all[i].w) / 2, (h - scale*all[i].h) / 2}
		}
	}
	// The tolerance is for boxes that were rounded.
	minW, minH := size(edge, best.which, ModuleMin)
	least := minW / all[best.which].w
	if !(best.scale >= least*(1-1e-4)) || w > maxEdge || h > maxEdge || math.IsInf(w, 0) || math.IsInf(h, 0) {
		return best, &SizeError{Width: w, Height: h, MinWidth: minW, MinHeight: minH}
	}
	return best, nil
}
