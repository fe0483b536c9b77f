package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"encoding/binary"
)

// crypt is the encryption of a file by the standard security handler (ISO
// 32000-2, 7.6).
type crypt struct {
	data                    handler
	filters                 Dict   // /CF
	strings, streams, files method // of those that do not name a filter
	own                     uint32 // number of the encryption dictionary's object; 0 when it stands in the trailer
	key                     []byte
	owner                   bool  // a password is the owner's
	integrity               bool  // the file is to have an integrity code (ISO/TS 32004)
	err                     error // why nothing can be decrypted; nil once there is a key
	aes                     cipher.Block
	seeds                   []byte // key of the initialization vectors of updates
}

// method is how data is encrypted.
type method uint8

const (
	methodLocked method = iota // nobody can say
	methodIdentity
	methodRC4
	methodAESV2 // AES-128, a key for each object
	methodAESV3 // AES-256 with the file's key
)

// lockedStrings reports whether strings cannot be decrypted.
func (f *File) lockedStrings() bool {
	return f.crypt != nil && f.crypt.err != nil && f.crypt.strings != methodIdentity
}

// streamMethod tells how the data of a stream is encrypted (ISO 32000-2, 7.6.2
// and 7.6.6): by its own Crypt filter, else by what it is.
func (f *File) streamMethod(c *crypt, d Dict) (method, error) {
	kind, _ := d["Type"].(Name)
	if kind == "XRef" {
		return methodIdentity, nil
	}
	m := c.streams
	own, name, err := f.ownFilter(d)
	switch {
	case err != nil:
		return methodLocked, err
	case m == methodLocked:
	case own && c.data.version < 4:
		return methodLocked, malformed(-1, "stream with a Crypt filter in a file without any")
	case own:
		if m, err = f.cryptFilter(c, name); err != nil {
			return methodLocked, err
		}
	case kind == "Metadata" && !c.data.metadata:
		m = methodIdentity
	case kind == "EmbeddedFile":
		m = c.files
	}
	if m != methodIdentity && c.err != nil {
		return methodLocked, c.err
	}
	return m, nil
}

// ownFilter returns the crypt filter that a stream names, if its first filter
// is Crypt.
func (f *File) ownFilter(d Dict) (bool, Name, error) {
	filters, err := f.listOf(d["Filter"])
	if err != nil || len(filters) == 0 {
		return false, "", err
	}
	if first, err := f.Name(filters[0]); err != nil || first != "Crypt" {
		return false, "", err
	}
	parms, err := f.listOf(d["DecodeParms"])
	if err != nil || len(parms) == 0 {
		return true, "", err
	}
	p, err := f.Dict(parms[0])
	if err != nil {
		return true, "", err
	}
	name, err := f.Name(p["Name"])
	return true, name, err
}

// isSignature recognises a signature dictionary, whose /Contents is not
// encrypted (ISO 32000-2, 7.6.2). /Type may be missing.
func isSignature(d Dict) bool {
	kind, _ := d["Type"].(Name)
	return d["ByteRange"] != nil || kind == "Sig" || kind == "DocTimeStamp"
}

// plainEntry reports whether an entry of a dictionary is a string that is not
// encrypted.
func plainEntry(d Dict, key Name) bool {
	if key != "Contents" || !isSignature(d) {
		return false
	}
	_, ok := d[key].(String)
	return ok
}

// open decrypts the strings of an object that was read, and gives a stream what
// its data will be decrypted with.
func (c *crypt) open(ref Ref, o Object) (Object, error) {
	if ref.Number == c.own {
		return o, nil
	}
	s, _ := o.(*Stream)
	if s != nil {
		s.crypt, s.ref = c, ref
		if s.Dict["Type"] == Name("XRef") {
			return o, nil
		}
	}
	if c.err != nil || c.strings == methodIdentity {
		return o, nil
	}
	k := objectKey{c: c, ref: ref}
	if s != nil {
		return o, k.dict(s.Dict)
	}
	return k.object(o)
}

// objectKey encrypts and decrypts what belongs to one object.
type objectKey struct {
	c     *crypt
	ref   Ref
	short []byte       // key of RC4, once it is wanted
	block cipher.Block // of AESV2, once it is wanted
}

// object decrypts the strings in a value, in place but for a string itself. The
// parser has bounded its depth.
func (k *objectKey) object(o Object) (Object, error) {
	switch v := o.(type) {
	case String:
		out, ok := k.decrypt(k.c.strings, []byte(v))
		if !ok {
			return nil, malformed(-1, "bad data of an encrypted string in object %d", k.ref.Number)
		}
		return String(out), nil
	case Array:
		for i, e := range v {
			e, err := k.object(e)
			if err != nil {
				return nil, err
			}
			v[i] = e
		}
	case Dict:
		return o, k.dict(v)
	}
	return o, nil
}

func (k *objectKey) dict(d Dict) error {
	for key, o := range d {
		switch o.(type) {
		case String, Array, Dict:
		default:
			continue
		}
		if plainEntry(d, key) {
			continue
		}
		o, err := k.object(o)
		if err != nil {
			return err
		}
		d[key] = o
	}
	return nil
}

// decrypt decrypts data in place; false when it is no data of the method. Data
// of length 0 and, with AES, an initialization vector alone stand for nothing:
// some writers leave empty strings as they are.
func (k *objectKey) decrypt(m method, data []byte) ([]byte, bool) {
	switch m {
	case methodIdentity:
		return data, true
	case methodRC4:
		return data, k.rc4(data)
	case methodAESV2, methodAESV3:
	default:
		return nil, false
	}
	if len(data) == 0 {
		return data, true
	}
	block := k.aes(m)
	if block == nil || len(data)%aes.BlockSize != 0 {
		return nil, false
	}
	iv, data := data[:aes.BlockSize], data[aes.BlockSize:]
	if len(data) == 0 {
		return data, true
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
	return unpad(data)
}

// unpad takes the padding of RFC 8018, 6.1.1 away.
func unpad(data []byte) ([]byte, bool) {
	n := int(data[len(data)-1])
	if n == 0 || n > aes.BlockSize {
		return nil, false
	}
	end := len(data) - n
	for _, c := range data[end:] {
		if int(c) != n {
			return nil, false
		}
	}
	return data[:end], true
}

// make makes the key of the object (ISO 32000-2, 7.6.3, algorithm 1).
func (k *objectKey) make(salt string) []byte {
	n, g := k.ref.Number, k.ref.Generation
	b := append(bytes.Clone(k.c.key), byte(n), byte(n>>8), byte(n>>16), byte(g), byte(g>>8))
	sum := md5.Sum(append(b, salt...))
	return sum[:min(len(k.c.key)+5, len(sum))]
}

func (k *objectKey) rc4(data []byte) bool {
	if k.short == nil {
		k.short = k.make("")
	}
	c, err := rc4.NewCipher(k.short)
	if err != nil {
		return false
	}
	c.XORKeyStream(data, data)
	return true
}

// aes returns the cipher of the object; nil for a key of another length.
func (k *objectKey) aes(m method) cipher.Block {
	if m == methodAESV3 {
		if k.c.aes == nil {
			k.c.aes = newAES(k.c.key)
		}
		return k.c.aes
	}
	if k.block == nil {
		k.block = newAES(k.make("sAlT"))
	}
	return k.block
}

func newAES(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	return block
}

// sealer encrypts the strings and the stream of one object of an update.
type sealer struct {
	f     *File
	key   objectKey
	count uint32 // of what was encrypted so far
}

// sealer returns what encrypts object ref of an update; nil when nothing is to
// be encrypted.
func (f *File) sealer(ref Ref) *sealer {
	if f.crypt == nil || ref.Number == f.crypt.own {
		return nil
	}
	return &sealer{f: f, key: objectKey{c: f.crypt, ref: ref}}
}

func (s *sealer) string(v String) (String, error) {
	m := s.key.c.strings
	if m == methodIdentity {
		return v, nil
	}
	out, err := s.encrypt(m, []byte(v))
	return String(out), err
}

// stream returns the data of a stream encrypted as its dictionary says.
func (s *sealer) stream(d Dict, data []byte) ([]byte, error) {
	m, err := s.f.streamMethod(s.key.c, d)
	if err != nil || m == methodIdentity {
		return data, err
	}
	return s.encrypt(m, data)
}

// encrypt returns data encrypted, in memory of its own.
func (s *sealer) encrypt(m method, data []byte) ([]byte, error) {
	if err := s.key.c.err; err != nil {
		return nil, err
	}
	if m == methodRC4 {
		data = bytes.Clone(data)
		if !s.key.rc4(data) {
			return nil, ErrEncrypted
		}
		return data, nil
	}
	block := s.key.aes(m)
	if block == nil {
		return nil, ErrEncrypted
	}
	pad := aes.BlockSize - len(data)%aes.BlockSize
	out := make([]byte, aes.BlockSize, 2*aes.BlockSize+len(data))
	out = append(out, data...)
	copy(out, s.vector(out[aes.BlockSize:]))
	for range pad {
		out = append(out, byte(pad))
	}
	body := out[aes.BlockSize:]
	cipher.NewCBCEncrypter(block, out[:aes.BlockSize]).CryptBlocks(body, body)
	return out, nil
}

// vector makes an initialization vector out of what is encrypted and its place,
// under a key of its own: to those without the file's key it is random, the same
// update of the same file has the same bytes, and another text has another one.
func (s *sealer) vector(data []byte) []byte {
	c := s.key.c
	if c.seeds == nil {
		mac := hmac.New(sha256.New, c.key)
		mac.Write([]byte("initialization vectors of an update"))
		c.seeds = mac.Sum(nil)
	}
	mac := hmac.New(sha256.New, c.seeds)
	b := binary.BigEndian.AppendUint64(nil, uint64(s.f.src.size))
	b = binary.BigEndian.AppendUint32(b, s.key.ref.Number)
	b = binary.BigEndian.AppendUint16(b, s.key.ref.Generation)
	b = binary.BigEndian.AppendUint32(b, s.count)
	s.count++
	mac.Write(b)
	mac.Write(data)
	return mac.Sum(b[:0])[:aes.BlockSize]
}

// parse reads bytes that stand for an object.
func (s *sealer) parse(r Raw) (Object, error) {
	l := lexer{buf: bytes.Clone(r), base: -1, lim: &s.f.lim} // its own, so that what is written otherwise stays off the heap
	o, err := l.object(0)
	if err == nil {
		if l.space(); l.peek() < 0 && len(l.dups) == 0 {
			return o, nil
		}
	}
	return nil, &UnsupportedError{Feature: "writing a Raw that is not one object into an encrypted file"}
}

// holdsString reports whether there is a string in an object that was parsed.
func holdsString(o Object) bool {
	switch v := o.(type) {
	case String:
		return true
	case Array:
		for _, e := range v {
			if holdsString(e) {
				return true
			}
		}
	case Dict:
		for _, e := range v {
			if holdsString(e) {
				return true
			}
		}
	}
	return false
}
