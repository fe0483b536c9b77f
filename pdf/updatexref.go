package pdf

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
)

// maxTableOffset is what the ten digits of a table entry can say.
const maxTableOffset = 9_999_999_999

// writeTable writes a cross-reference table and its trailer (ISO 32000-2,
// 7.5.4 and 7.5.5).
func (u *Update) writeTable(w *writer, trailer Dict, sorted []updateObject) error {
	w.b = append(w.b, "xref\n"...)
	for _, run := range runs(sorted) {
		w.b = strconv.AppendUint(w.b, uint64(run[0].ref.Number), 10)
		w.b = append(w.b, ' ')
		w.b = strconv.AppendInt(w.b, int64(len(run)), 10)
		w.b = append(w.b, '\n')
		for _, o := range run {
			if o.offset > maxTableOffset {
				return &LimitError{Limit: "cross-reference table offset", Max: maxTableOffset, Offset: o.offset}
			}
			w.b = appendDigits(w.b, uint64(o.offset), 10)
			w.b = append(w.b, ' ')
			w.b = appendDigits(w.b, uint64(o.ref.Generation), 5)
			w.b = append(w.b, ' ', "fn"[o.kind], ' ', '\n')
		}
	}
	if len(sorted) == 0 {
		w.b = append(w.b, "0 0\n"...)
	}
	trailer["Size"] = Integer(u.next) // above the highest number of the updated file
	w.b = append(w.b, "trailer\n"...)
	w.object(trailer, 0)
	w.b = append(w.b, '\n')
	return w.err
}

func appendDigits(dst []byte, v uint64, n int) []byte {
	var room [20]byte
	s := strconv.AppendUint(room[:0], v, 10)
	for range n - len(s) {
		dst = append(dst, '0')
	}
	return append(dst, s...)
}

// writeStream writes a cross-reference stream (ISO 32000-2, 7.5.8), not
// compressed, which lists itself as well.
func (u *Update) writeStream(w *writer, trailer Dict, sorted []updateObject, start int64) error {
	if u.next > uint64(u.f.lim.ObjectNumber) {
		return &LimitError{Limit: "ObjectNumber", Max: int64(u.f.lim.ObjectNumber), Offset: -1}
	}
	own := updateObject{ref: Ref{Number: uint32(u.next)}, kind: entryInUse, offset: start}
	sorted = append(sorted, own)
	width := max(4, (bits.Len64(uint64(start))+7)/8) // start is the highest offset
	last := 2
	if slices.ContainsFunc(sorted, func(o updateObject) bool { return o.place > 65535 }) {
		last = 4
	}
	index := Array{}
	var data []byte
	for _, run := range runs(sorted) {
		index = append(index, Integer(run[0].ref.Number), Integer(len(run)))
		for _, o := range run {
			var v [8]byte
			binary.BigEndian.PutUint64(v[:], uint64(o.offset))
			data = append(data, o.kind)
			data = append(data, v[8-width:]...)
			third := uint32(o.ref.Generation)
			if o.kind == entryCompressed {
				third = o.place
			}
			binary.BigEndian.PutUint32(v[4:], third)
			data = append(data, v[8-last:]...)
		}
	}
	trailer["Type"] = Name("XRef")
	trailer["W"] = Array{Integer(1), Integer(width), Integer(last)}
	trailer["Index"] = index
	trailer["Size"] = Integer(own.ref.Number) + 1
	w.b = strconv.AppendUint(w.b, uint64(own.ref.Number), 10)
	w.b = append(w.b, " 0 obj\n"...)
	w.object(&Stream{Dict: trailer, Data: data}, 0)
	w.b = append(w.b, "\nendobj\n"...)
	return w.err
}
