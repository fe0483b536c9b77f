package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"unicode/utf8"
)

// handler is what the standard security handler makes keys from. It can be
// compared: the same handler has the same key.
type handler struct {
	version, revision int
	keyBytes          int
	permissions       uint32
	metadata          bool // metadata streams are encrypted
	id                String
	o, u              String // 32 bytes; with version 5 a hash and two salts
	oe, ue, perms     String // with version 5
}

// unlock finds the key with the password of the options, or else the empty one.
// The owner's comes first, since it may be the user's as well and gives more.
func (f *File) unlock(c *crypt) error {
	known := f.src.origin.crypt
	if known != nil && known.data == c.data {
		c.key, c.owner = known.key, known.owner
		return known.err
	}
	if f.src.origin.handlers++; f.src.origin.handlers > maxHandlers {
		return &LimitError{Limit: "encryption dictionaries", Max: maxHandlers, Offset: -1}
	}
	f.src.origin.crypt = c
	passwords := c.data.prepare(f.src.origin.password)
	for _, password := range append(passwords, nil) {
		if c.key = c.data.ownerKey(password); c.key != nil {
			c.owner = true
			break
		}
		if c.key = c.data.userKey(password); c.key != nil {
			break
		}
	}
	if c.key == nil {
		return ErrEncrypted
	}
	return c.data.checkPermissions(c.key)
}

// prepare turns a password into the bytes to be tried, none for the empty one.
// Up to revision 4 that is PDFDocEncoding (ISO 32000-2, 7.6.4.3.2), or the bytes
// as they are, which some writers take; later it is UTF-8.
func (h *handler) prepare(password string) [][]byte {
	if password == "" {
		return nil
	}
	plain := []byte(password)
	if h.revision >= 5 {
		return [][]byte{plain[:min(len(plain), maxPassword)]}
	}
	plain = plain[:min(len(plain), oldVerifier)]
	if doc, ok := docEncode(password); ok && !bytes.Equal(doc, plain) {
		return [][]byte{doc, plain}
	}
	return [][]byte{plain}
}

// docEncode encodes text in PDFDocEncoding, as far as a password goes.
func docEncode(text string) ([]byte, bool) {
	var out []byte
	for _, r := range text {
		if len(out) == oldVerifier {
			break
		}
		c := 0
		for c < 256 && docRune(byte(c)) != r {
			c++
		}
		if c == 256 || r == utf8.RuneError {
			return nil, false
		}
		out = append(out, byte(c))
	}
	return out, true
}

// userKey returns the file's key when the password is the user's.
func (h *handler) userKey(password []byte) []byte {
	if h.version == 5 {
		return h.unwrap(password, h.u, "", h.ue)
	}
	key := h.oldKey(password)
	if h.revision == 2 {
		check := xorRC4(key, []byte(passwordPad))
		return keyIf(key, check, h.u)
	}
	sum := md5.Sum([]byte(passwordPad + string(h.id)))
	check := sum[:]
	for i := range 20 {
		check = xorRC4(mixed(key, i), check)
	}
	return keyIf(key, check, h.u[:16])
}

// ownerKey returns the file's key when the password is the owner's.
func (h *handler) ownerKey(password []byte) []byte {
	if h.version == 5 {
		return h.unwrap(password, h.o, h.u, h.oe)
	}
	sum := md5.Sum(padded(password))
	user := []byte(h.o)
	if h.revision == 2 {
		return h.userKey(xorRC4(sum[:h.keyBytes], user))
	}
	for range 50 {
		sum = md5.Sum(sum[:])
	}
	for i := 19; i >= 0; i-- {
		user = xorRC4(mixed(sum[:h.keyBytes], i), user)
	}
	return h.userKey(user)
}

// keyIf returns key when what it makes is what the file has.
func keyIf(key, got []byte, want String) []byte {
	if subtle.ConstantTimeCompare(got, []byte(want)) == 1 {
		return key
	}
	return nil
}

// passwordPad fills passwords up to 32 bytes (ISO 32000-2, 7.6.4.3.2).
const passwordPad = "\x28\xbf\x4e\x5e\x4e\x75\x8a\x41\x64\x00\x4e\x56\xff\xfa\x01\x08" +
	"\x2e\x2e\x00\xb6\xd0\x68\x3e\x80\x2f\x0c\xa9\xfe\x64\x53\x69\x7a"

func padded(password []byte) []byte {
	b := append(make([]byte, 0, len(passwordPad)+oldVerifier), password[:min(len(password), oldVerifier)]...)
	return append(b, passwordPad...)[:oldVerifier]
}

// oldKey makes the key of revisions 2 to 4 (ISO 32000-2, 7.6.4.3.2, algorithm 2).
func (h *handler) oldKey(password []byte) []byte {
	b := append(padded(password), h.o...)
	b = binary.LittleEndian.AppendUint32(b, h.permissions)
	b = append(b, h.id...)
	if h.revision >= 4 && !h.metadata {
		b = append(b, 0xff, 0xff, 0xff, 0xff)
	}
	sum := md5.Sum(b)
	if h.revision >= 3 {
		for range 50 {
			sum = md5.Sum(sum[:h.keyBytes])
		}
	}
	return sum[:h.keyBytes]
}

// mixed is key with every byte XORed with i.
func mixed(key []byte, i int) []byte {
	out := make([]byte, len(key))
	for k := range key {
		out[k] = key[k] ^ byte(i)
	}
	return out
}

// xorRC4 returns data encrypted, or decrypted, with a key of 5 to 32 bytes.
func xorRC4(key, data []byte) []byte {
	out := make([]byte, len(data))
	if c, err := rc4.NewCipher(key); err == nil { // keys have proper lengths
		c.XORKeyStream(out, data)
	}
	return out
}

// unwrap checks a password of revision 5 or 6 and decrypts the file's key
// (ISO 32000-2, 7.6.4.3.3, algorithm 2.A). A verifier is a hash of 32 bytes, a
// salt of 8 for it, and one of 8 for the key that wraps the file's.
func (h *handler) unwrap(password []byte, verifier, user, wrapped String) []byte {
	check := h.hash(password, verifier[32:40], user)
	if keyIf(check, check, verifier[:32]) == nil {
		return nil
	}
	block, err := aes.NewCipher(h.hash(password, verifier[40:48], user))
	if err != nil {
		return nil // a hash is 32 bytes
	}
	key := []byte(wrapped)
	cipher.NewCBCDecrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(key, key)
	return key
}

// hash is the SHA-256 of revision 5, and algorithm 2.B of revision 6 (ISO
// 32000-2, 7.6.4.3.4). That goes on until the last byte of a round allows it
// to stop, which after hashRounds every byte does.
func (h *handler) hash(password []byte, salt, user String) []byte {
	first := sha256.Sum256([]byte(string(password) + string(salt) + string(user)))
	k := first[:]
	if h.revision == 5 {
		return k
	}
	e := make([]byte, 0, 64*(len(password)+sha512.Size+len(user)))
	for n := 1; n <= hashRounds; n++ {
		e = e[:0]
		for range 64 {
			e = append(append(append(e, password...), k...), user...)
		}
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil // 16 bytes are a key
		}
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(e, e)
		sum := 0 // 256 leaves 1 when divided by 3: the bytes do for the number
		for _, c := range e[:16] {
			sum += int(c)
		}
		switch sum % 3 {
		case 0:
			s := sha256.Sum256(e)
			k = s[:]
		case 1:
			s := sha512.Sum384(e)
			k = s[:]
		case 2:
			s := sha512.Sum512(e)
			k = s[:]
		}
		if n >= 64 && int(e[len(e)-1]) <= n-32 {
			break
		}
	}
	return k[:32]
}

// checkPermissions compares /Perms with what it protects (ISO 32000-2,
// 7.6.4.4, algorithm 13).
func (h *handler) checkPermissions(key []byte) error {
	if h.version < 5 {
		return nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	var p [aes.BlockSize]byte
	block.Decrypt(p[:], []byte(h.perms))
	metadata := byte('F')
	if h.metadata {
		metadata = 'T'
	}
	if string(p[9:12]) != "adb" || binary.LittleEndian.Uint32(p[:4]) != h.permissions || p[8] != metadata {
		return malformed(-1, "/Perms of the encryption dictionary does not agree with /P and /EncryptMetadata")
	}
	return nil
}
