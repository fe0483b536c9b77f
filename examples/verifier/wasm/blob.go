//go:build js && wasm

package main

import (
	"errors"
	"io"
	"syscall/js"
)

// errRead says that the browser could not read the file, for instance because it
// was changed or removed after it was chosen.
var errRead = errors.New("the file cannot be read any more; choose it again")

// A blob is a file of the browser as an io.ReaderAt. The last blocks that were
// read are kept, since a PDF is read in many small pieces.
type blob struct {
	read  js.Value // function (offset, length) that gives a Uint8Array or null
	size  int64
	kept  []block
	clock int
}

type block struct {
	at   int64 // offset of its first byte, or -1
	used int
	data []byte
}

func newBlob(read js.Value, size int64) *blob { return &blob{read: read, size: size} }

// ReadAt implements io.ReaderAt for one goroutine.
func (b *blob) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errRead
	}
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if at >= b.size {
			return n, io.EOF
		}
		data, err := b.block(at - at%blockSize)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[at%blockSize:])
	}
	return n, nil
}

// block gives the block that begins at an offset below the size.
func (b *blob) block(at int64) ([]byte, error) {
	b.clock++
	oldest := 0
	for i := range b.kept {
		k := &b.kept[i]
		if k.at == at {
			k.used = b.clock
			return k.data, nil
		}
		if k.used < b.kept[oldest].used {
			oldest = i
		}
	}
	if len(b.kept) < blocks {
		b.kept = append(b.kept, block{data: make([]byte, 0, min(blockSize, b.size))})
		oldest = len(b.kept) - 1
	}
	k := &b.kept[oldest]
	k.at = -1
	size := int(min(blockSize, b.size-at))
	k.data = k.data[:size]
	from := b.read.Invoke(float64(at), float64(size))
	if from.Type() != js.TypeObject || from.Length() != size || js.CopyBytesToGo(k.data, from) != size {
		return nil, errRead
	}
	k.at, k.used = at, b.clock
	return k.data, nil
}
