package postgres

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed-574216e4/meterai/serial"
)

// Rows go in as one array for each column. The arrays are made here, in PostgreSQL's binary form, and handed through the
// driver as they are: its own way costs an interface value and a lookup of the type for each element, which was most of
// what the client did.

// array is a parameter in binary form: the number of dimensions (1), whether there may be NULLs (1), the type of the
// elements, their count and the first index (1), each in 4 bytes; then each element after its length in 4 bytes, -1 for
// NULL.
type array []byte

const arrayHead = 20

// head begins an array of n elements of about so many bytes each, which the caller appends.
func (b array) head(oid uint32, n, size int) array {
	b = slices.Grow(b, arrayHead+n*(4+size))
	dimensions := uint32(min(n, 1))
	b = binary.BigEndian.AppendUint32(b, dimensions)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, oid)
	if n > 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		b = binary.BigEndian.AppendUint32(b, 1)
	}
	return b
}

const null = 0xffffffff

// The functions that follow append a column of rows as an array to a buffer, which may be nil.

// bigints takes a column of numbers; false is NULL.
func bigints[R any](b array, rows []R, f func(*R) (int64, bool)) array {
	b = b.head(pgtype.Int8OID, len(rows), 8)
	for i := range rows {
		v, ok := f(&rows[i])
		if !ok {
			b = binary.BigEndian.AppendUint32(b, null)
			continue
		}
		b = binary.BigEndian.AppendUint32(b, 8)
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// counts takes a column of numbers that are always there.
func counts[R any](b array, rows []R, f func(*R) int64) array {
	return bigints(b, rows, func(r *R) (int64, bool) { return f(r), true })
}

func smallints[R any](b array, rows []R, f func(*R) uint8) array {
	b = b.head(pgtype.Int2OID, len(rows), 2)
	for i := range rows {
		b = binary.BigEndian.AppendUint32(b, 2)
		b = binary.BigEndian.AppendUint16(b, uint16(f(&rows[i])))
	}
	return b
}

// sized takes a column of a type that is kept as a string of bytes, about so many each; false is NULL.
func sized[R any, S string | []byte](b array, oid uint32, size int, rows []R, f func(*R) (S, bool)) array {
	b = b.head(oid, len(rows), size)
	for i := range rows {
		s, ok := f(&rows[i])
		if !ok {
			b = binary.BigEndian.AppendUint32(b, null)
			continue
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

func texts[R any](b array, rows []R, f func(*R) string) array {
	return sized(b, pgtype.TextOID, 24, rows, func(r *R) (string, bool) { return f(r), true })
}

// blobs takes a column of bytes; nil is NULL.
func blobs[R any](b array, rows []R, f func(*R) []byte) array {
	return sized(b, pgtype.ByteaOID, 32, rows, func(r *R) ([]byte, bool) {
		s := f(r)
		return s, s != nil
	})
}

// keys takes a column of keys, which are never NULL.
func keys[R any](b array, rows []R, f func(*R) string) array {
	return sized(b, pgtype.ByteaOID, 24, rows, func(r *R) (string, bool) { return f(r), true })
}

// numbers takes a column of serial numbers; zero is NULL.
func numbers[R any](b array, rows []R, f func(*R) serial.Number) array {
	b = b.head(pgtype.ByteaOID, len(rows), 14)
	for i := range rows {
		n := f(&rows[i])
		if n.IsZero() {
			b = binary.BigEndian.AppendUint32(b, null)
			continue
		}
		packed := n.Packed()
		b = binary.BigEndian.AppendUint32(b, uint32(len(packed)))
		b = append(b, packed[:]...)
	}
	return b
}

// columns are the parameters of a statement, one after the other in one buffer, which is used again and again.
type columns struct {
	buf  array
	ends []int
}

func (c *columns) add(b array) { c.buf, c.ends = b, append(c.ends, len(b)) }

// values gives the parameters and makes room for the next ones: they are good until then.
func (c *columns) values() [][]byte {
	out := make([][]byte, len(c.ends))
	start := 0
	for i, end := range c.ends {
		out[i], start = c.buf[start:end:end], end
	}
	c.buf, c.ends = c.buf[:0], c.ends[:0]
	return out
}

func itself[T any](v *T) T { return *v }

// arrayCodec hands an [array] to the server as it is, and leaves all else to the driver.
type arrayCodec struct{ pgtype.Codec }

func (arrayCodec) PreferredFormat() int16 { return pgtype.BinaryFormatCode }

func (c arrayCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(array); ok {
		return arrayPlan{}
	}
	return c.Codec.PlanEncode(m, oid, format, value)
}

type arrayPlan struct{}

func (arrayPlan) Encode(value any, buf []byte) ([]byte, error) {
	return append(buf, value.(array)...), nil
}

// registerArrays makes a connection take an [array] as a parameter.
func registerArrays(c *pgx.Conn) {
	m := c.TypeMap()
	for _, oid := range []uint32{pgtype.TextArrayOID, pgtype.ByteaArrayOID, pgtype.Int2ArrayOID, pgtype.Int8ArrayOID} {
		if t, ok := m.TypeForOID(oid); ok {
			m.RegisterType(&pgtype.Type{Codec: arrayCodec{t.Codec}, Name: t.Name, OID: oid})
		}
	}
}
