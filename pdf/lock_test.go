package pdf_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lockID is the first element of /ID in files that a lock encrypts.
const lockID = "0123456789abcdef"

// lock encrypts by hand, so that files can be built which no writer makes. The
// user password is empty.
type lock struct {
	method  string // V2, AESV2 or AESV3
	key     []byte
	entries map[string]string // of the encryption dictionary
}

// newLock makes a lock of version 2 (RC4), 4 or 5 (revision 5).
func newLock(t testing.TB, version int, method string) *lock {
	t.Helper()
	k := &lock{method: method, entries: map[string]string{"Filter": "/Standard", "V": fmt.Sprint(version), "P": "-4"}}
	if version >= 4 {
		k.entries["CF"] = "<</StdCF<</CFM/" + method + "/AuthEvent/DocOpen>>>>"
		k.entries["StmF"], k.entries["StrF"] = "/StdCF", "/StdCF"
	}
	switch version {
	case 2:
		k.entries["R"], k.entries["Length"] = "3", "128"
		k.old(t)
	case 4:
		k.entries["R"] = "4"
		k.old(t)
	default:
		k.entries["R"] = "5"
		k.newer(t)
	}
	return k
}

const pad = "(\xbfN^Nu\x8aAd\x00NV\xff\xfa\x01\x08..\x00\xb6\xd0h>\x80/\x0c\xa9\xfedSiz"

// old makes key and /U of revisions 3 and 4.
func (k *lock) old(t testing.TB) {
	o := strings.Repeat("o", 32)
	in := pad + o + "\xfc\xff\xff\xff" + lockID
	if k.entries["EncryptMetadata"] == "false" {
		in += "\xff\xff\xff\xff"
	}
	sum := md5.Sum([]byte(in))
	for range 50 {
		sum = md5.Sum(sum[:])
	}
	k.key = sum[:]
	check := md5.Sum([]byte(pad + lockID))
	u := check[:]
	for i := range 20 {
		step := bytes.Clone(k.key)
		for n := range step {
			step[n] ^= byte(i)
		}
		c, err := rc4.NewCipher(step)
		require.NoError(t, err)
		c.XORKeyStream(u, u)
	}
	k.entries["O"] = hexText(o)
	k.entries["U"] = hexText(string(u) + strings.Repeat("\x00", 16))
}

// newer makes key, /U, /UE and /Perms of revision 5.
func (k *lock) newer(t testing.TB) {
	sum := sha256.Sum256([]byte("file key"))
	k.key = sum[:]
	check, wrap := sha256.Sum256([]byte("salt-one")), sha256.Sum256([]byte("salt-two"))
	k.entries["U"] = hexText(string(check[:]) + "salt-onesalt-two")
	k.entries["O"] = hexText(strings.Repeat("o", 48))
	k.entries["OE"] = hexText(strings.Repeat("o", 32))
	block, err := aes.NewCipher(wrap[:])
	require.NoError(t, err)
	ue := make([]byte, 32)
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(ue, k.key)
	k.entries["UE"] = hexText(string(ue))
	k.perms(t, "\xfc\xff\xff\xff\xff\xff\xff\xffTadbxxxx")
}

// perms encrypts /Perms.
func (k *lock) perms(t testing.TB, plain string) {
	block, err := aes.NewCipher(k.key)
	require.NoError(t, err)
	out := make([]byte, 16)
	block.Encrypt(out, []byte(plain))
	k.entries["Perms"] = hexText(string(out))
}

func hexText(s string) string { return fmt.Sprintf("<%x>", s) }

func (k *lock) dict() string {
	var keys []string
	for key := range k.entries {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var b strings.Builder
	b.WriteString("<<")
	for _, key := range keys {
		b.WriteString("/" + key + " " + k.entries[key])
	}
	return b.String() + ">>"
}

// data encrypts what belongs to object n.
func (k *lock) data(n int, plain string) []byte {
	key := k.key
	if k.method != "AESV3" {
		b := append(bytes.Clone(k.key), byte(n), byte(n>>8), byte(n>>16), 0, 0)
		if k.method == "AESV2" {
			b = append(b, "sAlT"...)
		}
		sum := md5.Sum(b)
		key = sum[:]
	}
	out := []byte(plain)
	if k.method == "V2" {
		c, _ := rc4.NewCipher(key)
		c.XORKeyStream(out, out)
		return out
	}
	size := 16 - len(out)%16
	out = append(out, bytes.Repeat([]byte{byte(size)}, size)...)
	block, _ := aes.NewCipher(key)
	iv := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(n))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return append(iv, out...)
}

// text encrypts a string of object n and writes it in hexadecimal.
func (k *lock) text(n int, plain string) string { return hexText(string(k.data(n, plain))) }

// start begins a file of one page; object 9 is the encryption dictionary.
func (k *lock) start() *builder {
	return newBuilder().obj(1, "<</Type/Catalog/Pages 2 0 R>>").
		obj(2, "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 612 792]>>").
		obj(3, "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<<>>>>").
		stream(4, "", k.data(4, "0 0 m 9 9 l S")).
		obj(9, k.dict())
}

// lockTrailer names the encryption dictionary and the identifiers.
const lockTrailer = "/Encrypt 9 0 R/ID[(" + lockID + ")(2)]"

// locks are one of each method.
func locks(t testing.TB) map[string]*lock {
	return map[string]*lock{
		"rc4":   newLock(t, 2, "V2"),
		"rc4v4": newLock(t, 4, "V2"),
		"aesv2": newLock(t, 4, "AESV2"),
		"aesv3": newLock(t, 5, "AESV3"),
	}
}
