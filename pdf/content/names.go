package content

import (
	"strconv"
	"strings"
)

// unknown stands for characters whose meaning the font does not say.
const unknown = "\ufffd"

// nameText gives the text of a glyph name: one of glyphNames, a single letter,
// "uni" with 4 or "u" with 4 to 6 hexadecimal digits, parts joined by
// underscores, all without what follows a dot; "" when the name says nothing.
func nameText(name string) string {
	name, _, _ = strings.Cut(name, ".")
	if len(name) == 1 || name == "" {
		return name
	}
	if r, ok := glyphNames[name]; ok {
		return string(r)
	}
	if hex, ok := strings.CutPrefix(name, "uni"); ok && len(hex) >= 4 && len(hex)%4 == 0 {
		return hexText(hex, 4)
	}
	if hex, ok := strings.CutPrefix(name, "u"); ok && len(hex) >= 4 && len(hex) <= 6 {
		return hexText(hex, len(hex))
	}
	if !strings.Contains(name, "_") || len(name) > maxName {
		return ""
	}
	text := ""
	for part := range strings.SplitSeq(name, "_") {
		t := nameText(part)
		if t == "" {
			return ""
		}
		text += t
	}
	return text
}

// hexText reads groups of digits as code points.
func hexText(hex string, group int) string {
	text := ""
	for ; hex != "" && len(text) < maxName; hex = hex[group:] {
		v, err := strconv.ParseUint(hex[:group], 16, 32)
		if err != nil || v > 0x10ffff {
			return ""
		}
		text += string(rune(v))
	}
	return text
}

// glyphNames are the names of the Latin characters, punctuation and signs in
// the Adobe Glyph List, without the letters that are their own names.
var glyphNames = map[string]rune{
	"AE": 'Æ', "Aacute": 'Á', "Abreve": 'Ă', "Acircumflex": 'Â', "Adieresis": 'Ä', "Agrave": 'À', "Amacron": 'Ā',
	"Aogonek": 'Ą', "Aring": 'Å', "Atilde": 'Ã', "Cacute": 'Ć', "Ccaron": 'Č', "Ccedilla": 'Ç', "Ccircumflex": 'Ĉ',
	"Cdotaccent": 'Ċ', "Dcaron": 'Ď', "Dcroat": 'Đ', "Delta": '∆', "Eacute": 'É', "Ebreve": 'Ĕ', "Ecaron": 'Ě',
	"Ecircumflex": 'Ê', "Edieresis": 'Ë', "Edotaccent": 'Ė', "Egrave": 'È', "Emacron": 'Ē', "Eng": 'Ŋ',
	"Eogonek": 'Ę', "Eth": 'Ð', "Euro": '€', "Gbreve": 'Ğ', "Gcircumflex": 'Ĝ', "Gcommaaccent": 'Ģ',
	"Gdotaccent": 'Ġ', "Hbar": 'Ħ', "Hcircumflex": 'Ĥ', "IJ": 'Ĳ', "Iacute": 'Í', "Ibreve": 'Ĭ',
	"Icircumflex": 'Î', "Idieresis": 'Ï', "Idotaccent": 'İ', "Igrave": 'Ì', "Imacron": 'Ī', "Iogonek": 'Į',
	"Itilde": 'Ĩ', "Jcircumflex": 'Ĵ', "Kcommaaccent": 'Ķ', "Lacute": 'Ĺ', "Lcaron": 'Ľ', "Lcommaaccent": 'Ļ',
	"Ldot": 'Ŀ', "Lslash": 'Ł', "Nacute": 'Ń', "Ncaron": 'Ň', "Ncommaaccent": 'Ņ', "Ntilde": 'Ñ', "OE": 'Œ',
	"Oacute": 'Ó', "Obreve": 'Ŏ', "Ocircumflex": 'Ô', "Odieresis": 'Ö', "Ograve": 'Ò', "Ohungarumlaut": 'Ő',
	"Omacron": 'Ō', "Omega": 'Ω', "Oslash": 'Ø', "Otilde": 'Õ', "Racute": 'Ŕ', "Rcaron": 'Ř', "Rcommaaccent": 'Ŗ',
	"Sacute": 'Ś', "Scaron": 'Š', "Scedilla": 'Ş', "Scircumflex": 'Ŝ', "Scommaaccent": 'Ș', "Tbar": 'Ŧ',
	"Tcaron": 'Ť', "Tcommaaccent": 'Ţ', "Thorn": 'Þ', "Uacute": 'Ú', "Ubreve": 'Ŭ', "Ucircumflex": 'Û',
	"Udieresis": 'Ü', "Ugrave": 'Ù', "Uhungarumlaut": 'Ű', "Umacron": 'Ū', "Uogonek": 'Ų', "Uring": 'Ů',
	"Utilde": 'Ũ', "Wcircumflex": 'Ŵ', "Yacute": 'Ý', "Ycircumflex": 'Ŷ', "Ydieresis": 'Ÿ', "Zacute": 'Ź',
	"Zcaron": 'Ž', "Zdotaccent": 'Ż', "aacute": 'á', "abreve": 'ă', "acircumflex": 'â', "acute": '´',
	"adieresis": 'ä', "ae": 'æ', "afii00208": '\u2015', "afii61352": '№', "agrave": 'à', "amacron": 'ā',
	"ampersand": '&', "aogonek": 'ą', "approxequal": '≈', "aring": 'å', "asciicircum": '^', "asciitilde": '~',
	"asterisk": '*', "at": '@', "atilde": 'ã', "backslash": '\\', "bar": '|', "braceleft": '{', "braceright": '}',
	"bracketleft": '[', "bracketright": ']', "breve": '\u02d8', "brokenbar": '¦', "bullet": '•', "cacute": 'ć',
	"caron": '\u02c7', "ccaron": 'č', "ccedilla": 'ç', "ccircumflex": 'ĉ', "cdotaccent": 'ċ', "cedilla": '¸',
	"cent": '¢', "checkmark": '✓', "circumflex": '\u02c6', "colon": ':', "comma": ',', "copyright": '©',
	"currency": '¤', "dagger": '†', "daggerdbl": '‡', "dcaron": 'ď', "dcroat": 'đ', "degree": '°', "dieresis": '¨',
	"divide": '÷', "dollar": '$', "dotaccent": '\u02d9', "dotlessi": 'ı', "dotlessj": 'ȷ', "eacute": 'é',
	"ebreve": 'ĕ', "ecaron": 'ě', "ecircumflex": 'ê', "edieresis": 'ë', "edotaccent": 'ė', "egrave": 'è',
	"eight": '8', "eightsuperior": '⁸', "ellipsis": '…', "emacron": 'ē', "emdash": '\u2014', "endash": '\u2013',
	"eng": 'ŋ', "eogonek": 'ę', "equal": '=', "eth": 'ð', "exclam": '!', "exclamdbl": '‼', "exclamdown": '¡',
	"ff": 'ﬀ', "ffi": 'ﬃ', "ffl": 'ﬄ', "fi": 'ﬁ', "five": '5', "fivesuperior": '⁵', "fl": 'ﬂ', "four": '4',
	"foursuperior": '⁴', "fraction": '\u2044', "franc": '₣', "gbreve": 'ğ', "gcircumflex": 'ĝ',
	"gcommaaccent": 'ģ', "gdotaccent": 'ġ', "germandbls": 'ß', "grave": '`', "greater": '>', "greaterequal": '≥',
	"guillemotleft": '«', "guillemotright": '»', "guilsinglleft": '‹', "guilsinglright": '›', "hbar": 'ħ',
	"hcircumflex": 'ĥ', "hungarumlaut": '\u02dd', "hyphen": '-', "iacute": 'í', "ibreve": 'ĭ', "icircumflex": 'î',
	"idieresis": 'ï', "igrave": 'ì', "ij": 'ĳ', "imacron": 'ī', "infinity": '∞', "integral": '∫', "iogonek": 'į',
	"itilde": 'ĩ', "jcircumflex": 'ĵ', "kcommaaccent": 'ķ', "kgreenlandic": 'ĸ', "lacute": 'ĺ', "lcaron": 'ľ',
	"lcommaaccent": 'ļ', "ldot": 'ŀ', "less": '<', "lessequal": '≤', "lira": '₤', "logicalnot": '¬', "longs": 'ſ',
	"lozenge": '◊', "lslash": 'ł', "macron": '¯', "middot": '·', "minus": '−', "minute": '′', "mu": 'µ',
	"mu1": 'µ', "multiply": '×', "nacute": 'ń', "napostrophe": 'ŉ', "nbspace": '\u00a0', "ncaron": 'ň',
	"ncommaaccent": 'ņ', "nine": '9', "ninesuperior": '⁹', "nonbreakingspace": '\u00a0', "notequal": '≠',
	"nsuperior": 'ⁿ', "ntilde": 'ñ', "numbersign": '#', "oacute": 'ó', "obreve": 'ŏ', "ocircumflex": 'ô',
	"odieresis": 'ö', "oe": 'œ', "ogonek": '\u02db', "ograve": 'ò', "ohungarumlaut": 'ő', "omacron": 'ō',
	"one": '1', "onehalf": '½', "onequarter": '¼', "onesuperior": '¹', "ordfeminine": 'ª', "ordmasculine": 'º',
	"oslash": 'ø', "otilde": 'õ', "overscore": '¯', "paragraph": '¶', "parenleft": '(', "parenright": ')',
	"partialdiff": '∂', "percent": '%', "period": '.', "periodcentered": '·', "perthousand": '‰', "peseta": '₧',
	"plus": '+', "plusminus": '±', "product": '∏', "question": '?', "questiondown": '¿', "quotedbl": '"',
	"quotedblbase": '„', "quotedblleft": '“', "quotedblright": '”', "quoteleft": '‘', "quotereversed": '‛',
	"quoteright": '’', "quotesinglbase": '‚', "quotesingle": '\'', "racute": 'ŕ', "radical": '√', "rcaron": 'ř',
	"rcommaaccent": 'ŗ', "registered": '®', "ring": '\u02da', "sacute": 'ś', "scaron": 'š', "scedilla": 'ş',
	"scircumflex": 'ŝ', "scommaaccent": 'ș', "second": '″', "section": '§', "semicolon": ';', "seven": '7',
	"sevensuperior": '⁷', "sfthyphen": '\u00ad', "six": '6', "sixsuperior": '⁶', "slash": '/',
	"softhyphen": '\u00ad', "space": ' ', "sterling": '£', "summation": '∑', "tbar": 'ŧ', "tcaron": 'ť',
	"tcommaaccent": 'ţ', "thorn": 'þ', "three": '3', "threequarters": '¾', "threesuperior": '³', "tilde": '\u02dc',
	"trademark": '™', "two": '2', "twosuperior": '²', "uacute": 'ú', "ubreve": 'ŭ', "ucircumflex": 'û',
	"udieresis": 'ü', "ugrave": 'ù', "uhungarumlaut": 'ű', "umacron": 'ū', "underscore": '_', "underscoredbl": '‗',
	"uogonek": 'ų', "uring": 'ů', "utilde": 'ũ', "wcircumflex": 'ŵ', "yacute": 'ý', "ycircumflex": 'ŷ',
	"ydieresis": 'ÿ', "yen": '¥', "zacute": 'ź', "zcaron": 'ž', "zdotaccent": 'ż', "zero": '0',
	"zerosuperior": '⁰',
}
