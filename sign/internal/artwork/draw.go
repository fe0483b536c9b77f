package artwork

import (
	"math"
	"strings"
	"sync"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
)

// Colours, as operands of sc and SC in the CalRGB space.
const (
	ink    = ".08 .2 .36"   // texts and lines
	pale   = ".8 .87 .93"   // rosette
	tint   = ".87 .915 .95" // frame
	signal = ".76 .1 .14"   // mark of a specimen
)

// set is what does not change from stamp to stamp: faces, and the drawing
// below the texts of each arrangement, for stamps and for specimens.
type set struct {
	figures, head, text *face
	layouts             [2]layout
	drawn               [2][2][]byte
}

// kit makes the set once, which takes about a millisecond.
var kit = sync.OnceValues(func() (*set, error) {
	s := &set{layouts: layouts()}
	var err error
	if s.figures, err = newFace(gobold.TTF, 180, 0.0035); err != nil {
		return nil, err
	}
	s.figures.plainZero()
	if s.head, err = newFace(gobold.TTF, 90, 0.008); err != nil {
		return nil, err
	}
	if s.text, err = newFace(gomedium.TTF, 64, 0.012); err != nil {
		return nil, err
	}
	for i := range s.drawn {
		s.drawn[i] = [2][]byte{s.draw(&s.layouts[i], false), s.draw(&s.layouts[i], true)}
	}
	return s, nil
})

// fixed gives the drawing below the texts.
func (s *set) fixed(which int, specimen bool) []byte {
	if specimen {
		return s.drawn[which][1]
	}
	return s.drawn[which][0]
}

// draw makes the drawing below the texts.
func (s *set) draw(l *layout, specimen bool) []byte {
	dst := appendFrame(nil, l)
	dst = appendRosette(dst, l.rosette)
	dst = append(dst, ink+" sc\n"...)
	for _, h := range l.header {
		dst = s.head.appendJustified(dst, h.text, h.at)
	}
	if !specimen {
		return appendBand(dst, l.band)
	}
	dst = append(dst, signal+" sc "...)
	dst = appendReals(dst, 2, l.band.x, l.band.y, l.band.w, l.band.h)
	dst = append(dst, "re f\n1 1 1 sc\n"...)
	dst = s.head.appendJustified(dst, "SPESIMEN", l.band.inset(5, 1.7))
	return append(dst, ink+" sc\n"...)
}

// inset gives the rectangle less dx on the left and right, dy above and below.
func (r rect) inset(dx, dy float64) rect {
	return rect{r.x + dx, r.y + dy, r.w - 2*dx, r.h - 2*dy}
}

// appendFrame paints the box white, the margin tinted, bites the perforations
// out of its edge and lines its inside. All stays off the quiet zone.
func appendFrame(dst []byte, l *layout) []byte {
	box := rect{0, 0, l.w, l.h}
	dst = append(dst, "/C cs 1 1 1 sc "...)
	dst = appendRect(dst, box)
	dst = append(dst, "f\n"+tint+" sc "...)
	dst = appendRect(dst, box)
	dst = appendRect(dst, box.inset(3.4, 3.4))
	dst = append(dst, "f*\n/C CS 1 1 1 SC 1 J 1.5 w [0 "...)
	dst = appendReals(dst, 2, pitch)
	dst = append(dst, "] 0 d "...)
	dst = appendRect(dst, box)
	dst = append(dst, "S\n[] 0 d 0 J "+ink+" SC .5 w "...)
	dst = appendRect(dst, box.inset(3.4, 3.4))
	dst = append(dst, "S .2 w "...)
	dst = appendRect(dst, box.inset(2.6, 2.6))
	return append(dst, "S\n"...)
}

func appendRect(dst []byte, r rect) []byte {
	dst = appendReals(dst, 2, r.x, r.y, r.w, r.h)
	return append(dst, "re "...)
}

// petals is the number of ellipses in a rosette.
const petals = 10

// appendRosette strokes ellipses turned about the middle of a square.
func appendRosette(dst []byte, r rect) []byte {
	// An ellipse in hundredths of the square's half edge, as four Bezier
	// curves; .5523 of the half axis makes a quarter (error below 0.03 %).
	const ellipse = "100 0 m 100 19 55 34 0 34 c -55 34 -100 19 -100 0 c -100 -19 -55 -34 0 -34 c 55 -34 100 -19 100 0 c s\n"
	dst = append(dst, "q "+pale+" SC 1 w "...)
	dst = appendReals(dst, 4, r.w/200)
	dst = append(dst, "0 0 "...)
	dst = appendReals(dst, 4, r.w/200)
	dst = appendReals(dst, 2, r.x+r.w/2, r.y+r.h/2)
	dst = append(dst, "cm\n"...)
	sin, cos := math.Sincos(math.Pi / petals)
	for i := range petals {
		if i > 0 {
			dst = appendReals(dst, 4, cos, sin, -sin, cos, 0, 0)
			dst = append(dst, "cm "...)
		}
		dst = append(dst, ellipse...)
	}
	return append(dst, "Q\n"...)
}

// appendBand strokes an engraved ornament: two waves that cross.
func appendBand(dst []byte, r rect) []byte {
	dst = append(dst, "q "+ink+" SC .25 w "...)
	mid, wave := r.y+r.h/2, r.h*0.42
	n := math.Round(r.w / (2 * wave))
	step := r.w / n
	for _, sign := range [...]float64{1, -1} {
		dst = appendReals(dst, 2, r.x, mid)
		dst = append(dst, "m "...)
		for i := range int(n) {
			x := r.x + float64(i)*step
			up := sign * wave * 4 / 3
			dst = appendReals(dst, 2, x+step*0.36, mid+up, x+step*0.64, mid+up, x+step, mid)
			dst = append(dst, "c "...)
			sign = -sign
		}
		dst = append(dst, "S\n"...)
	}
	return append(dst, "Q\n"...)
}

// appendTexts fills the texts of one stamp; ink is set.
func (s *set) appendTexts(dst []byte, in *Input, l *layout) []byte {
	dst = s.figures.appendCentred(dst, in.Figures, l.figures, l.figures.h/s.figures.cap, spacing{})
	dst = s.text.appendLines(dst, in.Words, l.words)
	// The 27 characters break behind the third group.
	group := in.Serial.Grouped()
	size := l.serial[0].h / s.text.cap
	dst = s.text.appendCentred(dst, group[:13], l.serial[0], size, spacing{pitch: serialPitch})
	return s.text.appendCentred(dst, group[14:], l.serial[1], size, spacing{pitch: serialPitch})
}

// serialPitch is the width of each character of a serial number, in em: all
// the same, as people who copy it are used to.
const serialPitch = 0.75

// appendCentred fills a text in the middle of a rectangle, in the given size or
// the largest below it that fits.
func (f *face) appendCentred(dst []byte, text string, r rect, size float64, sp spacing) []byte {
	width := f.width(text, sp)
	size = min(size, r.w/width, r.h/f.cap)
	return f.appendText(dst, text, r.x+(r.w-width*size)/2, r.y+(r.h-f.cap*size)/2, size, sp)
}

// appendJustified fills a text as high as a rectangle and, by space between the
// glyphs, as wide.
func (f *face) appendJustified(dst []byte, text string, r rect) []byte {
	width := f.width(text, spacing{})
	size := min(r.h/f.cap, r.w/width)
	sp := spacing{extra: (r.w/size - width) / float64(len(text)-1)}
	return f.appendText(dst, text, r.x, r.y+(r.h-f.cap*size)/2, size, sp)
}

// leading is the distance of baselines in heights of capitals.
const leading = 1.55

// appendLines breaks a text into as many lines as make it largest in a
// rectangle, and fills them centred.
func (f *face) appendLines(dst []byte, text string, r rect) []byte {
	var best []string
	size := 0.0
	for n := 1; n <= maxLines; n++ {
		lines, width := f.breakLines(text, n)
		high := f.cap * (1 + leading*float64(len(lines)-1))
		if s := min(r.w/width, r.h/high, r.h*0.6/f.cap); s > size*1.02 {
			best, size = lines, s
		}
	}
	step := f.cap * size * leading
	high := f.cap*size + step*float64(len(best)-1)
	y := r.y + (r.h+high)/2 - f.cap*size
	for _, line := range best {
		dst = f.appendText(dst, line, r.x+(r.w-f.width(line, spacing{})*size)/2, y, size, spacing{})
		y -= step
	}
	return dst
}

// breakLines breaks a text at spaces into at most n lines of about the same
// width, and gives the width of the widest in em.
func (f *face) breakLines(text string, n int) (lines []string, width float64) {
	words := strings.Fields(text)
	if len(words) == 0 {
		words = []string{text}
	}
	for limit := f.width(text, spacing{}) / float64(n); ; limit *= 1.04 {
		lines, width = lines[:0], 0
		line := words[0]
		for _, word := range words[1:] {
			if f.width(line, spacing{})+f.width(" "+word, spacing{}) <= limit {
				line += " " + word
				continue
			}
			lines = append(lines, line)
			line = word
		}
		lines = append(lines, line)
		if len(lines) <= n {
			break
		}
	}
	for _, line := range lines {
		width = max(width, f.width(line, spacing{}))
	}
	return lines, width
}
