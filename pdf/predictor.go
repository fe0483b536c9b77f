package pdf

// predictor holds the parameters of a predictor function (ISO 32000-2,
// 7.4.4.4).
type predictor struct {
	kind, colors, bits, columns int
}

// predict undoes the predictor that the parameters of a filter name.
func (f *File) predict(parms Dict, data []byte, at int64) ([]byte, error) {
	p, err := f.predictor(parms, at)
	if err != nil {
		return nil, err
	}
	switch {
	case p.kind == 1:
		return data, nil
	case p.kind == 2:
		p.tiff(data)
		return data, nil
	case p.kind >= 10 && p.kind <= 15:
		out, ok := p.png(data)
		if !ok {
			return nil, malformed(at, "bad row of a PNG predictor")
		}
		return out, nil
	}
	return nil, malformed(at, "unknown predictor %d", p.kind)
}

// predictor reads and checks the parameters.
func (f *File) predictor(parms Dict, at int64) (predictor, error) {
	p := predictor{kind: 1, colors: 1, bits: 8, columns: 1}
	for _, e := range [...]struct {
		key Name
		v   *int
	}{{"Predictor", &p.kind}, {"Colors", &p.colors}, {"BitsPerComponent", &p.bits}, {"Columns", &p.columns}} {
		o, ok := parms[e.key]
		if !ok {
			continue
		}
		n, err := f.Int(o)
		if err != nil {
			return p, err
		}
		if n < 1 || n > 1<<30 {
			return p, malformed(at, "bad %s of a predictor", e.key)
		}
		*e.v = int(n)
	}
	if p.columns > f.lim.Columns {
		return p, &LimitError{Limit: "Columns", Max: int64(f.lim.Columns), Offset: at}
	}
	if p.bits > 16 || p.bits&(p.bits-1) != 0 {
		return p, malformed(at, "bad BitsPerComponent of a predictor")
	}
	if p.colors > 32 {
		return p, malformed(at, "bad Colors of a predictor")
	}
	return p, nil
}

func (p predictor) row() int { return (p.colors*p.bits*p.columns + 7) / 8 }

// png undoes PNG prediction in place; a last short row is decoded as far as it
// goes.
func (p predictor) png(data []byte) ([]byte, bool) {
	row, bpp := p.row(), (p.colors*p.bits+7)/8
	out := data[:0] // what is written lies behind what is still to be read
	prior := make([]byte, row)
	for len(data) > 0 {
		kind := data[0]
		data = data[1:]
		n := min(row, len(data))
		if !unfilter(kind, data[:n], prior[:n], bpp) {
			return nil, false
		}
		copy(prior, data[:n])
		out = append(out, data[:n]...)
		data = data[n:]
	}
	return out, true
}

// unfilter undoes one PNG filter (ISO/IEC 15948, 9.2).
func unfilter(kind byte, cur, prior []byte, bpp int) bool {
	switch kind {
	case 0:
	case 1:
		for i := bpp; i < len(cur); i++ {
			cur[i] += cur[i-bpp]
		}
	case 2:
		for i, v := range prior {
			cur[i] += v
		}
	case 3:
		for i := range cur {
			left := 0
			if i >= bpp {
				left = int(cur[i-bpp])
			}
			cur[i] += byte((left + int(prior[i])) / 2)
		}
	case 4:
		for i := range cur {
			left, corner := 0, 0
			if i >= bpp {
				left, corner = int(cur[i-bpp]), int(prior[i-bpp])
			}
			cur[i] += byte(paeth(left, int(prior[i]), corner))
		}
	default:
		return false
	}
	return true
}

func paeth(a, b, c int) int {
	p := a + b - c
	pa, pb, pc := abs(p-a), abs(p-b), abs(p-c)
	if pa <= pb && pa <= pc {
		return a
	}
	if pb <= pc {
		return b
	}
	return c
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}

// tiff undoes TIFF predictor 2 in place.
func (p predictor) tiff(data []byte) {
	row := p.row()
	for len(data) > 0 {
		n := min(row, len(data))
		p.tiffRow(data[:n])
		data = data[n:]
	}
}

func (p predictor) tiffRow(row []byte) {
	switch p.bits {
	case 8:
		for i := p.colors; i < len(row); i++ {
			row[i] += row[i-p.colors]
		}
	case 16:
		for i := 2 * p.colors; i+1 < len(row); i += 2 {
			j := i - 2*p.colors
			v := uint16(row[i])<<8 | uint16(row[i+1])
			v += uint16(row[j])<<8 | uint16(row[j+1])
			row[i], row[i+1] = byte(v>>8), byte(v)
		}
	default:
		p.tiffBits(row)
	}
}

// tiffBits adds samples of less than a byte.
func (p predictor) tiffBits(row []byte) {
	mask := byte(1<<p.bits - 1)
	samples := len(row) * 8 / p.bits
	at := func(i int) (int, int) { return i * p.bits / 8, 8 - p.bits - i*p.bits%8 }
	for i := p.colors; i < samples; i++ {
		b, s := at(i)
		pb, ps := at(i - p.colors)
		v := (row[b]>>s + row[pb]>>ps) & mask
		row[b] = row[b]&^(mask<<s) | v<<s
	}
}
