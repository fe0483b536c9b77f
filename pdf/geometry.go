package pdf

import "math"

// Rect is a rectangle (ISO 32000-2, 7.9.5) with its lower left corner first.
type Rect struct {
	LLX, LLY, URX, URY float64
}

// NewRect returns the rectangle that has the two points as opposite corners.
func NewRect(x1, y1, x2, y2 float64) Rect {
	return Rect{min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)}
}

// Width returns URX - LLX.
func (r Rect) Width() float64 { return r.URX - r.LLX }

// Height returns URY - LLY.
func (r Rect) Height() float64 { return r.URY - r.LLY }

// Empty reports whether the rectangle has no area.
func (r Rect) Empty() bool { return !(r.URX > r.LLX && r.URY > r.LLY) }

// Intersect returns what both rectangles cover; the zero Rect when that is
// nothing.
func (r Rect) Intersect(s Rect) Rect {
	v := Rect{max(r.LLX, s.LLX), max(r.LLY, s.LLY), min(r.URX, s.URX), min(r.URY, s.URY)}
	if v.Empty() {
		return Rect{}
	}
	return v
}

// Contains reports whether s lies in r, edges included.
func (r Rect) Contains(s Rect) bool {
	return s.LLX >= r.LLX && s.LLY >= r.LLY && s.URX <= r.URX && s.URY <= r.URY
}

// Array returns the rectangle as an array of four numbers.
func (r Rect) Array() Array { return Array{Real(r.LLX), Real(r.LLY), Real(r.URX), Real(r.URY)} }

// Matrix is a transformation matrix [a b c d e f] (ISO 32000-2, 8.3.3), which
// takes (x, y) to (ax+cy+e, bx+dy+f).
type Matrix [6]float64

// Apply transforms a point.
func (m Matrix) Apply(x, y float64) (float64, float64) {
	return m[0]*x + m[2]*y + m[4], m[1]*x + m[3]*y + m[5]
}

// Rect returns the smallest upright rectangle around the transformed r.
func (m Matrix) Rect(r Rect) Rect {
	x1, y1 := m.Apply(r.LLX, r.LLY)
	x2, y2 := m.Apply(r.URX, r.URY)
	x3, y3 := m.Apply(r.LLX, r.URY)
	x4, y4 := m.Apply(r.URX, r.LLY)
	return Rect{min(x1, x2, x3, x4), min(y1, y2, y3, y4), max(x1, x2, x3, x4), max(y1, y2, y3, y4)}
}

// Array returns the matrix as an array of six numbers.
func (m Matrix) Array() Array {
	a := make(Array, len(m))
	for i, v := range m {
		a[i] = Real(v)
	}
	return a
}

// Rect reads a rectangle: an array of four finite numbers, corners in any
// order. Null gives the zero Rect.
func (f *File) Rect(o Object) (Rect, error) {
	a, err := f.Array(o)
	if err != nil || a == nil {
		return Rect{}, err
	}
	if len(a) != 4 {
		return Rect{}, malformed(-1, "rectangle of %d numbers", len(a))
	}
	var v [4]float64
	for i := range v {
		if v[i], err = f.Number(a[i]); err != nil {
			return Rect{}, err
		}
		if a[i] == nil || math.IsNaN(v[i]) || math.Abs(v[i]) > math.MaxFloat32 {
			return Rect{}, malformed(-1, "bad number in a rectangle")
		}
	}
	return NewRect(v[0], v[1], v[2], v[3]), nil
}

// Size returns width and height of the page as people see it: of the crop box,
// turned by Rotate, in units of default user space (1/72 inch times UserUnit).
func (p *Page) Size() (w, h float64) {
	w, h = p.CropBox.Width(), p.CropBox.Height()
	if p.Rotate == 90 || p.Rotate == 270 {
		return h, w
	}
	return w, h
}

// Matrix takes coordinates of the page as people see it, with the origin at
// the bottom left of what is visible, x to the right and y up, to default user
// space.
func (p *Page) Matrix() Matrix {
	b := p.CropBox
	switch p.Rotate {
	case 90:
		return Matrix{0, 1, -1, 0, b.URX, b.LLY}
	case 180:
		return Matrix{-1, 0, 0, -1, b.URX, b.URY}
	case 270:
		return Matrix{0, -1, 1, 0, b.LLX, b.URY}
	}
	return Matrix{1, 0, 0, 1, b.LLX, b.LLY}
}

// UserRect takes a rectangle on the page as people see it to default user
// space, for the /Rect of an annotation.
func (p *Page) UserRect(seen Rect) Rect { return p.Matrix().Rect(seen) }

// SeenRect takes a rectangle of default user space to the page as people see
// it; it is the inverse of UserRect.
func (p *Page) SeenRect(user Rect) Rect {
	m := p.Matrix()
	// The linear part is a rotation: its inverse is its transpose.
	inv := Matrix{m[0], m[2], m[1], m[3], 0, 0}
	x, y := inv.Apply(m[4], m[5])
	inv[4], inv[5] = -x, -y
	return inv.Rect(user)
}

// FormMatrix returns the /Matrix of an appearance stream with the bounding box
// [0 0 w h] that stands upright as people see the page, in an annotation whose
// /Rect is UserRect of a rectangle of that width and height (ISO 32000-2,
// 12.5.5). It keeps the turned box at the origin.
func (p *Page) FormMatrix(w, h float64) Matrix {
	switch p.Rotate {
	case 90:
		return Matrix{0, 1, -1, 0, h, 0}
	case 180:
		return Matrix{-1, 0, 0, -1, w, h}
	case 270:
		return Matrix{0, -1, 1, 0, 0, w}
	}
	return Matrix{1, 0, 0, 1, 0, 0}
}
