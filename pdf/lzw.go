package pdf

const (
	lzwClear = 256
	lzwEnd   = 257
	lzwTable = 4096
)

// lzwDecoder holds the table of an LZW decoder: an entry is a shorter entry and
// one byte more.
type lzwDecoder struct {
	prefix [lzwTable]uint16 // the entry without its last byte
	last   [lzwTable]byte
	length [lzwTable]int32
	next   int // entry to be made next
	prev   int // code before; -1 after a clear
}

// decodeLZW decodes LZWDecode (ISO 32000-2, 7.4.4). With early, codes grow
// longer one code early, which is the default of the format.
func decodeLZW(out *sink, data []byte, early bool) error {
	d := &lzwDecoder{next: lzwEnd + 1, prev: -1}
	for i := range 256 {
		d.last[i], d.length[i] = byte(i), 1
	}
	shift := 0
	if early {
		shift = 1
	}
	bits, have, width := uint32(0), 0, 9
	for pos := 0; ; {
		for have < width {
			if pos >= len(data) {
				return nil // the end marker is often left out
			}
			bits, have, pos = bits<<8|uint32(data[pos]), have+8, pos+1
		}
		have -= width
		code := int(bits>>have) & (1<<width - 1)
		if code == lzwEnd {
			return nil
		}
		if code == lzwClear {
			d.next, d.prev, width = lzwEnd+1, -1, 9
			continue
		}
		if !d.learn(code) {
			return errFilter
		}
		if err := d.write(out, code); err != nil {
			return err
		}
		d.prev = code
		if d.next+shift >= 1<<width && width < 12 {
			width++
		}
	}
}

// learn makes the entry that a code implies, which may be its own. It reports
// false when the code means nothing.
func (d *lzwDecoder) learn(code int) bool {
	if d.prev < 0 {
		return code < lzwClear
	}
	if code > d.next || code >= lzwTable {
		return false
	}
	if d.next >= lzwTable {
		return true
	}
	first := code
	if code == d.next {
		first = d.prev
	}
	for d.length[first] > 1 {
		first = int(d.prefix[first])
	}
	d.prefix[d.next], d.length[d.next], d.last[d.next] = uint16(d.prev), d.length[d.prev]+1, d.last[first]
	d.next++
	return true
}

// write writes the bytes of an entry, which are found from the last on.
func (d *lzwDecoder) write(out *sink, code int) error {
	n := int(d.length[code])
	if int64(len(out.b)+n) > out.max {
		return out.full()
	}
	start := len(out.b)
	out.b = append(out.b, make([]byte, n)...)
	for i := start + n - 1; i >= start; i-- {
		out.b[i] = d.last[code]
		code = int(d.prefix[code])
	}
	return nil
}
