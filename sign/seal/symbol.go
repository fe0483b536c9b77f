package seal

import (
	"sync"

	"rsc.io/qr/coding"
)

// Level is an error correction level of a symbol.
type Level int

const (
	// LevelM corrects about 15 % of the symbol: the usual level. Of the same
	// size on paper, denser levels read worse, not better.
	LevelM Level = iota
	// LevelQ corrects about 25 %: where ink may cross the symbol.
	LevelQ
)

// Quiet is the width of the light margin that a symbol needs on each side, in
// modules (ISO/IEC 18004, 6.3.8). It is not part of the symbol's size.
const Quiet = 4

// Symbol is the QR symbol of a seal's text. It does not change and may be used
// by several goroutines at once.
type Symbol struct {
	version int
	size    int
	rows    []row
}

// NewSymbol makes the QR symbol (ISO/IEC 18004) of a seal's text at level M:
// one alphanumeric segment for the prefix, one numeric segment for the digits,
// the smallest version they fit, the mask of the least penalty. The text must
// have the shape that [Text] gives; the seal in it is not looked at.
func NewSymbol(text string) (*Symbol, error) { return NewSymbolLevel(text, LevelM) }

// NewSymbolLevel is NewSymbol at the given level.
func NewSymbolLevel(text string, level Level) (*Symbol, error) {
	v, segments, err := layOut(text, level)
	if err != nil {
		return nil, err
	}
	return planned(v, level).symbol(segments)
}

// SymbolSize gives the size of NewSymbol's symbol, in modules of an edge without
// the quiet zone, without making it. It depends only on the length of the text
// and of its prefix: who knows these knows the size before there is a seal.
func SymbolSize(text string) (int, error) {
	v, _, err := layOut(text, LevelM)
	return 17 + 4*int(v), err
}

// layOut gives the segments of a text and the version that holds them.
func layOut(text string, level Level) (coding.Version, []coding.Encoding, error) {
	if level != LevelM && level != LevelQ {
		return 0, nil, &SizeError{What: "level", Got: int(level), Max: int(LevelQ)}
	}
	prefix, digits, err := split(text)
	if err != nil {
		return 0, nil, err
	}
	segments := make([]coding.Encoding, 0, 2)
	if prefix != "" {
		segments = append(segments, coding.Alpha(prefix))
	}
	segments = append(segments, coding.Num(digits))
	v, ok := fit(segments, level)
	if !ok {
		return 0, nil, &SizeError{What: "text length", Got: len(text), Min: 1, Max: MaxPrefix + maxDigits}
	}
	return v, segments, nil
}

// fit gives the smallest version that holds the segments.
func fit(segments []coding.Encoding, level Level) (coding.Version, bool) {
	for v := coding.Version(1); v <= maxVersion; v++ {
		bits := 0
		for _, s := range segments {
			bits += s.Bits(v)
		}
		if bits <= 8*v.DataBytes(level.coding()) {
			return v, true
		}
	}
	return 0, false
}

func (l Level) coding() coding.Level {
	if l == LevelQ {
		return coding.Q
	}
	return coding.M
}

// Version gives the symbol's version: 8 for a seal without TLVs at level M.
func (y *Symbol) Version() int { return y.version }

// Size gives the number of modules of an edge, 17 + 4 x version, without the
// quiet zone.
func (y *Symbol) Size() int { return y.size }

// Dark says whether the module in column x and row y0, both from 0 at the top
// left, is dark. Outside the symbol all is light.
func (y *Symbol) Dark(x, y0 int) bool {
	return 0 <= x && x < y.size && 0 <= y0 && y0 < y.size && y.rows[y0].bit(x)
}

// plan is what all symbols of one version and level have in common.
type plan struct {
	plan  *coding.Plan
	blank [8][]row // for each mask the symbol whose code words are all zero
}

// plans holds the plans of the versions and levels in use, each made once.
var plans = sync.OnceValue(func() *[2][maxVersion + 1]func() *plan {
	var all [2][maxVersion + 1]func() *plan
	for level := range all {
		for v := 1; v <= maxVersion; v++ {
			all[level][v] = sync.OnceValue(func() *plan { return newPlan(coding.Version(v), Level(level)) })
		}
	}
	return &all
})

func planned(v coding.Version, level Level) *plan { return plans()[level][v]() }

// newPlan lays out a version and level; both are in range, so that the coding
// package has nothing to refuse.
func newPlan(v coding.Version, level Level) *plan {
	var p plan
	for mask := range p.blank {
		layout, err := coding.NewPlan(v, level.coding(), coding.Mask(mask))
		if err != nil {
			return nil
		}
		if mask == 0 {
			p.plan = layout
		}
		p.blank[mask] = make([]row, len(layout.Pixel))
		for y, pixels := range layout.Pixel {
			for x, pixel := range pixels {
				if pixel&coding.Black != 0 {
					p.blank[mask][y].set(x)
				}
			}
		}
	}
	return &p
}

// symbol encodes the segments under mask 0 and turns the result to the mask
// that has the least penalty (ISO/IEC 18004, 7.8.3). A symbol is the blank one
// of its mask XOR its code words, hence another mask is two XOR away.
func (p *plan) symbol(segments []coding.Encoding) (*Symbol, error) {
	code, err := p.plan.Encode(segments...)
	if err != nil {
		return nil, err
	}
	rows := make([]row, 3*code.Size)
	words, best, trial := rows[:code.Size:code.Size], rows[code.Size:2*code.Size], rows[2*code.Size:]
	for y := range words {
		words[y] = newRow(code.Bitmap[y*code.Stride:], code.Size).xor(p.blank[0][y])
	}
	least := -1
	for mask := range p.blank {
		for y := range trial {
			trial[y] = words[y].xor(p.blank[mask][y])
		}
		if n := penalty(trial); least < 0 || n < least {
			least = n
			best, trial = trial, best
		}
	}
	return &Symbol{version: int(p.plan.Version), size: code.Size, rows: best}, nil
}
