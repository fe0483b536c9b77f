package serial

// The check code is the systematic Reed-Solomon code (22,19) over GF(32) with the field polynomial x^5+x^2+1 and the
// generator (x-a)(x-a^2)(x-a^3), a = x. Its distance is 4: any change of up to three symbols is found. The three check
// symbols are offset by 17, 9 and 28, so that the row of zeros is no code word.

const checkOffset = 17<<10 | 9<<5 | 28

// remainders[f] is f*x^3 modulo the generator, three symbols of 5 bits.
var remainders = [32]uint16{
	0x0000, 0x3baa, 0x73f4, 0x485e, 0x776d, 0x4cc7, 0x0499, 0x3f33,
	0x7e7a, 0x45d0, 0x0d8e, 0x3624, 0x0917, 0x32bd, 0x7ae3, 0x4149,
	0x6c71, 0x57db, 0x1f85, 0x242f, 0x1b1c, 0x20b6, 0x68e8, 0x5342,
	0x120b, 0x29a1, 0x61ff, 0x5a55, 0x6566, 0x5ecc, 0x1692, 0x2d38,
}

// checkCode gives the 15 check bits for the first 19 symbols of a number, whose 95 bits are left-aligned in hi, lo.
func checkCode(hi, lo uint64) uint64 {
	var reg uint16
	for range 19 {
		reg = reg<<5&0x7fff ^ remainders[(reg>>10^uint16(hi>>59))&31]
		hi, lo = hi<<5|lo>>59, lo<<5
	}
	return uint64(reg ^ checkOffset)
}
