package pdf

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strconv"
)

// Update is an incremental update to a file (ISO 32000-2, 7.5.6): objects that
// are new or replace older ones, and a cross-reference section of the kind of
// the newest one in the file. Nothing that is in the file changes.
type Update struct {
	f       *File
	next    uint64
	stream  bool           // it ends with a cross-reference stream
	objects []updateObject // in the order of the first Set
	index   map[uint32]int
}

type updateObject struct {
	ref    Ref
	o      Object
	kind   uint8  // of its cross-reference entry
	offset int64  // in the updated file; compressed: number of the object stream
	place  uint32 // compressed: place in the object stream
}

// NewUpdate begins an update of f. The first object allocated has the number
// after the highest that any section or the trailer's /Size knows.
func NewUpdate(f *File) *Update {
	u := &Update{f: f, index: map[uint32]int{}, next: 1}
	u.stream = u.asStream()
	for _, s := range f.sections {
		u.reserve(s)
		if s.hybrid != nil {
			u.reserve(s.hybrid)
		}
	}
	return u
}

func (u *Update) reserve(s *section) {
	if size, ok := s.trailer["Size"].(Integer); ok && int64(size) <= int64(u.f.lim.ObjectNumber)+1 {
		u.next = max(u.next, uint64(max(size, 0)))
	}
	if n := len(s.subs); n > 0 {
		u.next = max(u.next, uint64(s.subs[n-1].first)+uint64(s.subs[n-1].count))
	}
}

// Alloc returns a reference that the file does not use, for Set.
func (u *Update) Alloc() Ref {
	ref := Ref{Number: uint32(min(u.next, 1<<32-1))}
	u.next++
	return ref
}

// Set gives ref a new object: one that Alloc returned, or one of the file with
// its generation. Setting it again replaces what was set before. The object is
// written when Bytes is called and must not change until then. A stream from
// the file is copied; Bytes refuses one from another file, whose data can be
// given to a new [Stream] instead.
func (u *Update) Set(ref Ref, o Object) {
	if i, ok := u.index[ref.Number]; ok {
		u.objects[i].ref, u.objects[i].o = ref, o
		return
	}
	u.next = max(u.next, uint64(ref.Number)+1)
	u.index[ref.Number] = len(u.objects)
	u.objects = append(u.objects, updateObject{ref: ref, o: o, kind: entryInUse})
}

// Add is Alloc and Set.
func (u *Update) Add(o Object) Ref {
	ref := u.Alloc()
	u.Set(ref, o)
	return ref
}

// Room reports, before anything is laid out, whether the file leaves room for
// objects more than are set so far, of so many bytes together with what Bytes
// writes around them. It is nil, or the [*LimitError] that Bytes would give: the
// object numbers go past [Limits], or the offsets past the ten digits of a
// cross-reference table.
func (u *Update) Room(objects int, bytes int64) error {
	top := u.next - 1 + uint64(max(objects, 0))
	if u.stream {
		top++ // the cross-reference stream is an object as well
	}
	if top > uint64(u.f.lim.ObjectNumber) {
		return &LimitError{Limit: "ObjectNumber", Max: int64(u.f.lim.ObjectNumber), Offset: -1}
	}
	if end := u.f.src.size - u.f.base + max(bytes, 0); !u.stream && (end < 0 || end > maxTableOffset) {
		return &LimitError{Limit: "cross-reference table offset", Max: maxTableOffset, Offset: u.f.src.size}
	}
	return nil
}

// Bytes lays out the update: the bytes to be appended after the file's Size
// bytes. They begin with an end of line when the file does not end with one,
// and end after %%EOF and its end of line. The Offset of each [*Reserved] is
// set. The same file and the same objects give the same bytes.
//
// The trailer keeps the entries of the newest one; the first element of /ID
// stays and the second is derived from the update; when /ID is missing or no
// array of strings, both are (a missing one stays missing in an encrypted file,
// since keys depend on it). Of a file that was read by repair the section lists
// every object, and there is no /Prev. What [Update.Room] finds is a [*LimitError],
// and a stream of another file an [*UnsupportedError].
//
// In an encrypted file strings and streams are encrypted as those in the file
// are; in one that cannot be decrypted they give the error of [File.Encryption].
// A file with an integrity code (ISO/TS 32004) is an [*UnsupportedError], since
// the update would break it.
func (u *Update) Bytes() ([]byte, error) { return u.BytesIn(nil) }

// BytesIn is Bytes that lays the update out in the memory of room, as far as
// that reaches: for who makes many updates and keeps none.
func (u *Update) BytesIn(room []byte) ([]byte, error) {
	if need := u.estimate(); cap(room) < need {
		room = make([]byte, 0, need)
	}
	w := &writer{b: room[:0], offset: u.f.src.size, record: true}
	if err := u.startLine(w); err != nil {
		return nil, err
	}
	for i := range u.objects {
		if err := u.writeObject(w, &u.objects[i]); err != nil {
			return nil, err
		}
	}
	newest := u.f.sections[0]
	trailer, err := u.trailer(newest, w.b)
	if err != nil {
		return nil, err
	}
	sorted := slices.Clone(u.objects)
	slices.SortFunc(sorted, func(a, b updateObject) int { return int(int64(a.ref.Number) - int64(b.ref.Number)) })
	if u.f.repaired != nil {
		sorted = u.whole(sorted)
	}
	start := w.offset + int64(len(w.b)) - u.f.base
	if u.stream {
		err = u.writeStream(w, trailer, sorted, start)
	} else {
		err = u.writeTable(w, trailer, sorted)
	}
	if err != nil {
		return nil, err
	}
	w.b = append(w.b, "startxref\n"...)
	w.b = strconv.AppendInt(w.b, start, 10)
	w.b = append(w.b, "\n%%EOF\n"...)
	return w.b, w.err
}

// estimate is about how long the update will be.
func (u *Update) estimate() int {
	n := 1024
	for i := range u.objects {
		n += 64 + weight(u.objects[i].o, 0)
	}
	return n
}

func weight(o Object, depth int) int {
	n := 0
	switch v := o.(type) {
	case *Reserved:
		if v != nil {
			return max(v.Size, 0)
		}
	case Raw:
		return len(v)
	case String:
		return 2*len(v) + 2
	case *Stream:
		if v != nil {
			return len(v.Data) + 64 + weight(v.Dict, depth)
		}
	case Dict:
		if depth > maxWriteDepth {
			return 0
		}
		for k, e := range v {
			n += len(k) + 2 + weight(e, depth+1)
		}
	case Array:
		if depth > maxWriteDepth {
			return 0
		}
		for _, e := range v {
			n += weight(e, depth+1)
		}
	}
	return n + 12
}

// startLine writes an end of line when the file does not end with one.
func (u *Update) startLine(w *writer) error {
	last, err := u.f.src.at(u.f.src.size-1, 1)
	if err != nil {
		return err
	}
	if c := last[0]; c != '\n' && c != '\r' {
		w.b = append(w.b, '\n')
	}
	return nil
}

func (u *Update) writeObject(w *writer, o *updateObject) error {
	if o.ref.Number == 0 || o.ref.Number > u.f.lim.ObjectNumber {
		return &LimitError{Limit: "ObjectNumber", Max: int64(u.f.lim.ObjectNumber), Offset: -1}
	}
	value := o.o
	if s, ok := value.(*Stream); ok && s != nil && s.offset != 0 { // refused when of another file
		data, err := u.f.plainStream(s) // keys may depend on the number
		if err != nil {
			return err
		}
		value = &Stream{Dict: s.Dict, Data: data}
	}
	w.seal = u.f.sealer(o.ref)
	o.offset = w.offset + int64(len(w.b)) - u.f.base
	w.b = strconv.AppendUint(w.b, uint64(o.ref.Number), 10)
	w.b = append(w.b, ' ')
	w.b = strconv.AppendUint(w.b, uint64(o.ref.Generation), 10)
	w.b = append(w.b, " obj\n"...)
	w.object(value, 0)
	w.b = append(w.b, "\nendobj\n"...)
	w.seal = nil
	return w.err
}

// trailer makes the entries that both kinds of section have; body is what has
// been written so far.
func (u *Update) trailer(newest *section, body []byte) (Dict, error) {
	d := make(Dict, len(newest.trailer)+2)
	for k, v := range newest.trailer {
		switch k {
		case "XRefStm", "Type", "W", "Index", "Filter", "DecodeParms", "Length", "DL", "F", "FFilter", "FDecodeParms":
		default:
			d[k] = v
		}
	}
	if u.f.repaired == nil {
		d["Prev"] = Integer(newest.start - u.f.base)
	}
	if u.f.crypt != nil {
		if u.f.crypt.integrity {
			return nil, &UnsupportedError{Feature: "updating a file with an integrity code (ISO/TS 32004)"}
		}
		if !keepsID(d["ID"]) {
			return d, nil
		}
	}
	id, err := u.newID(newest.trailer["ID"], body)
	d["ID"] = id
	return d, err
}

// keepsID reports whether an /ID is such that newID leaves its first element as
// it is, on which the keys of encrypted files depend.
func keepsID(id Object) bool {
	a, ok := id.(Array)
	for _, o := range a {
		_, text := o.(String)
		ok = ok && text
	}
	return ok && len(a) > 0
}

// newID keeps the first identifier and derives the second from the one before
// and the update (ISO 32000-2, 14.4). An /ID that is no array of strings
// identifies nothing: both are derived then.
func (u *Update) newID(id Object, body []byte) (Array, error) {
	old, err := u.f.Array(id)
	if err != nil && !lasting(err) {
		return nil, err
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(u.f.src.size)))
	keep := len(old) > 0
	for _, o := range old {
		o, err := u.f.Resolve(o)
		if err != nil && !lasting(err) {
			return nil, err
		}
		s, ok := o.(String)
		keep = keep && ok
		h.Write([]byte(s))
	}
	// The update counts by its length and two checksums, which cost less than a
	// digest of it: an identifier tells versions apart and protects nothing.
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(body))))
	h.Write(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
	h.Write(binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))))
	second := String(h.Sum(nil)[:16])
	if keep {
		return Array{old[0], second}, nil
	}
	return Array{second, second}, nil
}

// runs splits sorted objects into stretches of consecutive numbers.
func runs(sorted []updateObject) [][]updateObject {
	var out [][]updateObject
	for start, i := 0, 1; i <= len(sorted); i++ {
		if i == len(sorted) || sorted[i].ref.Number != sorted[i-1].ref.Number+1 {
			out = append(out, sorted[start:i])
			start = i
		}
	}
	return out
}
