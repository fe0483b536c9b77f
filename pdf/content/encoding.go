package content

// An encoding gives the text of each code; "" where it has none.
type encoding [256]string

// namedEncoding is one of the encodings of ISO 32000-2, Annex D.2; nil for
// another name.
func namedEncoding(name string) *encoding {
	switch name {
	case "WinAnsiEncoding":
		return newEncoding(winAnsiUpper)
	case "MacRomanEncoding":
		return newEncoding(macRomanUpper)
	case "StandardEncoding":
		e := newEncoding(standardUpper)
		e['\''], e['`'] = "\u2019", "\u2018"
		return e
	}
	return nil
}

// newEncoding has ASCII below 128, and the characters of upper from there.
func newEncoding(upper string) *encoding {
	e := new(encoding)
	for c := 32; c < 127; c++ {
		e[c] = string(rune(c))
	}
	c := 128
	for _, r := range upper {
		if s := string(r); s != unknown {
			e[c] = s
		}
		c++
	}
	return e
}

// winAnsiCode finds the code of a character in WinAnsiEncoding.
func winAnsiCode(r rune) (int, bool) {
	switch {
	case r < 128, r >= 160 && r < 256:
		return int(r), true
	}
	code := 128
	for _, u := range winAnsiUpper {
		if u == r {
			return code, true
		}
		code++
	}
	return 0, false
}

// The upper halves of the encodings. Codes that WinAnsiEncoding leaves undefined
// are bullets there.
const (
	winAnsiUpper = "€•‚ƒ„…†‡\u02c6‰Š‹Œ•Ž••‘’“”•\u2013\u2014\u02dc™š›œ•žŸ" +
		"\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿" +
		"ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß" +
		"àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"
	macRomanUpper = "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü" +
		"†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø" +
		"¿¡¬√ƒ≈∆«»…\u00a0ÀÃÕŒœ\u2013\u2014“”‘’÷◊ÿŸ\u2044€‹›ﬁﬂ" +
		"‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\ufffdÒÚÛÙı\u02c6\u02dc¯\u02d8\u02d9\u02da¸\u02dd\u02db\u02c7"
	standardUpper = "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd" +
		"\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd" +
		"\ufffd¡¢£\u2044¥ƒ§¤'“«‹›ﬁﬂ\ufffd\u2013†‡·\ufffd¶•‚„”»…‰\ufffd¿" +
		"\ufffd`´\u02c6\u02dc¯\u02d8\u02d9¨\ufffd\u02da¸\ufffd\u02dd\u02db\u02c7" +
		"\u2014\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd" +
		"Æ\ufffdª\ufffd\ufffd\ufffd\ufffdŁØŒº\ufffd\ufffd\ufffd\ufffd" +
		"\ufffdæ\ufffd\ufffd\ufffdı\ufffd\ufffdłøœß\ufffd\ufffd\ufffd\ufffd"
)
