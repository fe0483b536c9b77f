package cms

// Tags, as identifier octets.
const (
	tagInteger  = 0x02
	tagBits     = 0x03
	tagOctets   = 0x04
	tagNull     = 0x05
	tagOID      = 0x06
	tagSequence = 0x30
	tagSet      = 0x31
	tagContext0 = 0xa0 // constructed
	tagContext1 = 0xa1
	tagContext2 = 0xa2
	tagContext3 = 0xa3
	tagContext4 = 0xa4
)

// lengthSize is the number of octets that the DER length n takes.
func lengthSize(n int) int {
	size := 1
	if n >= 0x80 {
		for ; n > 0; n >>= 8 {
			size++
		}
	}
	return size
}

// elementSize is the size of an element with n contents octets and a tag of one octet.
func elementSize(n int) int { return 1 + lengthSize(n) + n }

// appendHeader appends identifier and length octets.
func appendHeader(dst []byte, tag byte, n int) []byte {
	return appendLength(append(dst, tag), n)
}

func appendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	size := lengthSize(n) - 1
	dst = append(dst, 0x80|byte(size))
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

// appendElement appends an element whose contents are the parts one after the other.
func appendElement(dst []byte, tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	dst = appendHeader(dst, tag, n)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// element is appendElement into a new slice.
func element(tag byte, parts ...[]byte) []byte { return appendElement(nil, tag, parts...) }

// oidElement encodes an identifier given as contents octets.
func oidElement(contents string) []byte { return element(tagOID, []byte(contents)) }
