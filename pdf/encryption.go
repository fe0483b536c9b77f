package pdf

import (
	"errors"
	"math"
	"slices"
)

// Permissions are the bits of /P (ISO 32000-2, table 22): what the author lets
// those do who opened the file with the user password. Bit 1 of the standard is
// the lowest.
type Permissions uint32

// The permissions that matter to who changes a file.
const (
	PermitChanges     Permissions = 1 << 3 // bit 4: whatever no other bit is for
	PermitAnnotations Permissions = 1 << 5 // bit 6: annotations, filling in and signing existing form fields
	PermitForms       Permissions = 1 << 8 // bit 9: filling in and signing existing form fields alone
)

// PermitNewFields is what a new form field takes, a signature field as well
// (ISO 32000-2, table 22, bit 6).
const PermitNewFields = PermitChanges | PermitAnnotations

// Encryption says how a file is encrypted and how it was opened (ISO 32000-2,
// 7.6.4).
type Encryption struct {
	Version     int         // /V: 1 and 2 are RC4, 4 has crypt filters with RC4 or AES-128, 5 AES-256
	Revision    int         // /R of the standard security handler: 2, 3, 4, 5 or 6
	KeyBits     int         // of the file's key: 40 to 128, or 256
	Permissions Permissions // /P
	Owner       bool        // a password was the owner's: the permissions do not bind
}

// Allows reports whether all permissions of p are given. The owner has them all;
// who may annotate may fill in forms; revision 2 knows no bit 9.
func (e *Encryption) Allows(p Permissions) bool {
	have := e.Permissions
	if e.Revision == 2 {
		have &^= PermitForms
	}
	if have&PermitAnnotations != 0 {
		have |= PermitForms
	}
	return e.Owner || have&p == p
}

// Encryption tells how the file is encrypted; nil when it is not. The error says
// why the file cannot be decrypted: [ErrEncrypted] when no password fits, an
// [*UnsupportedError] for another handler (such as one of public keys) or
// method, a [*MalformedError] for a damaged encryption dictionary. Such a file
// is open all the same: its structure can be read, its strings stand for what is
// in the file, and whatever has to be decrypted gives that error.
func (f *File) Encryption() (*Encryption, error) {
	if f.crypt == nil {
		return nil, nil
	}
	if f.crypt.err != nil {
		return nil, f.crypt.err
	}
	d := &f.crypt.data
	return &Encryption{
		Version: d.version, Revision: d.revision, KeyBits: 8 * d.keyBytes,
		Permissions: Permissions(d.permissions), Owner: f.crypt.owner,
	}, nil
}

// readEncryption reads /Encrypt of the trailer and tries the passwords. What is
// wrong with it is kept for those who need something decrypted; the error is
// that of the reader.
func (f *File) readEncryption() error {
	o := f.trailer["Encrypt"]
	if o == nil {
		return nil
	}
	c := &crypt{err: ErrEncrypted}
	if ref, ok := o.(Ref); ok {
		c.own = ref.Number
	}
	f.crypt = c // nothing is decrypted while its err is set
	err := f.readHandler(c, o)
	if errors.Is(err, ErrEncrypted) {
		err = malformed(-1, "the encryption dictionary lies in an encrypted object stream")
	}
	if err == nil {
		err = f.unlock(c)
	}
	f.cache = streamCache{} // what could not be decoded before may be now
	c.err = err
	if err != nil && !lasting(err) {
		return err
	}
	return nil
}

// readHandler reads an encryption dictionary (ISO 32000-2, tables 20 and 21).
func (f *File) readHandler(c *crypt, o Object) (err error) {
	if ref, ok := o.(Ref); ok {
		if o, err = f.Get(ref); err != nil {
			return err
		}
	}
	d, ok := o.(Dict)
	if !ok {
		return malformed(-1, "encryption dictionary expected, found %s", kindOf(o))
	}
	handler, err := f.Name(d["Filter"])
	if err != nil {
		return err
	}
	switch handler {
	case "Standard":
	case "":
		return malformed(-1, "encryption dictionary without a handler")
	default:
		return &UnsupportedError{Feature: "security handler " + string(handler[:min(len(handler), 64)])}
	}
	c.integrity = f.trailer["AuthCode"] != nil || d["KDFSalt"] != nil
	if err := f.readOnce(d); err != nil {
		return err
	}
	if err := f.readVersion(&c.data, d); err != nil {
		return err
	}
	if err := f.readVerifiers(&c.data, d); err != nil {
		return err
	}
	if c.data.version < 4 {
		c.strings, c.streams, c.files = methodRC4, methodRC4, methodRC4
		return nil
	}
	return f.readCryptFilters(c, d)
}

// readOnce refuses a key that stands twice: of two crypt filters some readers
// take the first and some the last, and show two different documents.
func (f *File) readOnce(d Dict) error {
	dups := f.sections[0].dups
	ref, indirect := f.trailer["Encrypt"].(Ref)
	if indirect {
		own, err := f.Duplicates(ref)
		if err != nil {
			return err
		}
		dups = slices.Concat(dups, own)
	}
	for i, dup := range dups {
		own := indirect && i >= len(f.sections[0].dups)
		if own || dup.Key == "Encrypt" || !indirect && d[dup.Key] != nil {
			return malformed(dup.Offset, "the encryption dictionary gives /%.64s more than once", string(dup.Key))
		}
	}
	return nil
}

// readVersion reads /V, /R and the length of the key.
func (f *File) readVersion(h *handler, d Dict) error {
	v, err := f.Int(d["V"])
	if err != nil {
		return err
	}
	r, err := f.Int(d["R"])
	if err != nil {
		return err
	}
	bits := int64(40)
	switch {
	case v == 1 && (r == 2 || r == 3) || v == 2 && r == 2:
	case v == 2 && r == 3:
		if d["Length"] != nil {
			if bits, err = f.Int(d["Length"]); err != nil {
				return err
			}
		}
	case v == 4 && r == 4:
		bits = 128
	case v == 5 && (r == 5 || r == 6):
		bits = 256
	default:
		return &UnsupportedError{Feature: "encryption of this /V and /R"}
	}
	if bits < 40 || bits > 256 || bits > 128 && v != 5 || bits%8 != 0 {
		return malformed(-1, "bad /Length of the encryption key")
	}
	h.version, h.revision, h.keyBytes = int(v), int(r), int(bits/8)
	return nil
}

// readVerifiers reads what passwords are checked with.
func (f *File) readVerifiers(h *handler, d Dict) (err error) {
	p, err := f.Int(d["P"])
	if err != nil {
		return err
	}
	if d["P"] == nil || p < math.MinInt32 || p > math.MaxUint32 { // some write it without its sign
		return malformed(-1, "bad /P of the encryption dictionary")
	}
	h.permissions, h.metadata = uint32(p), true
	if h.version >= 4 && d["EncryptMetadata"] != nil {
		if h.metadata, err = f.Bool(d["EncryptMetadata"]); err != nil {
			return err
		}
	}
	size := oldVerifier
	if h.version == 5 {
		size = newVerifier
	}
	if h.o, err = f.fixedString(d, "O", size); err != nil {
		return err
	}
	if h.u, err = f.fixedString(d, "U", size); err != nil {
		return err
	}
	if h.version < 5 {
		return f.readFirstID(h)
	}
	if h.oe, err = f.fixedString(d, "OE", 32); err != nil {
		return err
	}
	if h.ue, err = f.fixedString(d, "UE", 32); err != nil {
		return err
	}
	h.perms, err = f.fixedString(d, "Perms", 16)
	return err
}

// fixedString reads a string of n bytes. Some writers fill it up with zeros.
func (f *File) fixedString(d Dict, key Name, n int) (String, error) {
	s, err := f.String(d[key])
	if err != nil {
		return "", err
	}
	if len(s) < n || len(s) > maxVerifier {
		return "", malformed(-1, "bad /%s of the encryption dictionary", key)
	}
	for i := n; i < len(s); i++ {
		if s[i] != 0 {
			return "", malformed(-1, "bad /%s of the encryption dictionary", key)
		}
	}
	return s[:n], nil
}

// readFirstID reads the first element of /ID, which keys depend on. Without an
// /ID it counts as empty.
func (f *File) readFirstID(h *handler) error {
	o := f.trailer["ID"]
	if o == nil {
		return nil
	}
	if id, ok := o.(Array); ok && len(id) > 0 {
		if s, ok := id[0].(String); ok {
			h.id = s
			return nil
		}
	}
	return malformed(-1, "bad /ID of an encrypted file")
}

// readCryptFilters reads which filters are for what (ISO 32000-2, table 20).
func (f *File) readCryptFilters(c *crypt, d Dict) (err error) {
	if c.filters, err = f.Dict(d["CF"]); err != nil {
		return err
	}
	var m [3]method
	for i, key := range [...]Name{"StrF", "StmF", "EFF"} {
		name, err := f.Name(d[key])
		if err != nil {
			return err
		}
		if name == "" && key == "EFF" {
			m[i] = m[i-1]
			continue
		}
		if m[i], err = f.cryptFilter(c, name); err != nil {
			return err
		}
	}
	c.strings, c.streams, c.files = m[0], m[1], m[2]
	return nil
}

// cryptFilter gives the method of a crypt filter (ISO 32000-2, table 25).
func (f *File) cryptFilter(c *crypt, name Name) (method, error) {
	if name == "" || name == "Identity" {
		return methodIdentity, nil
	}
	if c.filters[name] == nil {
		return methodLocked, malformed(-1, "crypt filter %.64s is not defined", string(name))
	}
	d, err := f.Dict(c.filters[name])
	if err != nil {
		return methodLocked, err
	}
	cfm, err := f.Name(d["CFM"])
	if err != nil {
		return methodLocked, err
	}
	switch {
	case cfm == "" || cfm == "None": // left to the handler, and the standard one does nothing
		return methodIdentity, nil
	case cfm == "V2" && c.data.version == 4:
		return methodRC4, nil
	case cfm == "AESV2" && c.data.version == 4:
		return methodAESV2, nil
	case cfm == "AESV3" && c.data.version == 5:
		return methodAESV3, nil
	}
	return methodLocked, &UnsupportedError{Feature: "method " + string(cfm[:min(len(cfm), 64)]) + " of a crypt filter in this version of encryption"}
}
