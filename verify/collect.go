package verify

import (
	"crypto/x509"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
)

// placeKey identifies one state of a signature dictionary: the object it
// stands in, and what it says it covers.
type placeKey struct {
	holder pdf.Ref
	rng    [4]pdf.Integer
}

func keyOf(holder pdf.Ref, dict pdf.Dict) placeKey {
	key := placeKey{holder: holder}
	a, _ := dict["ByteRange"].(pdf.Array)
	for i := 0; i < len(a) && i < len(key.rng); i++ {
		key.rng[i], _ = a[i].(pdf.Integer)
	}
	return key
}

// collect finds the signatures: those that the fields of the final document
// reach, those that fields of the first revision reached, and those that later
// revisions brought although no field reaches them.
func (d *document) collect() error {
	known := map[placeKey]*candidate{}
	last := len(d.revs) - 1
	if err := d.collectFields(last, known); err != nil {
		return err
	}
	final := map[pdf.Ref]bool{} // judged in the state that the final document has
	for _, c := range d.list {
		final[c.holder] = true
	}
	for i := last; i > 0; i-- {
		if err := d.collectOrphans(i, known, final); err != nil {
			return err
		}
	}
	if last > 0 {
		return d.collectFields(0, known)
	}
	return d.collectUnreached(known)
}

func (d *document) add(c *candidate) error {
	if len(d.list) >= d.lim.Signatures {
		return say("the document has more than %d signatures", d.lim.Signatures)
	}
	d.list = append(d.list, c)
	return nil
}

// collectFields adds the signatures that the fields of revision i reach.
func (d *document) collectFields(i int, known map[placeKey]*candidate) error {
	f, err := d.view(i)
	if err != nil {
		return err
	}
	final := i == len(d.revs)-1
	n := 0
	return f.Fields(func(fd *pdf.Field) error {
		if n++; n > d.lim.Fields {
			return say("the form has more than %d fields", d.lim.Fields)
		}
		if fd.Value == nil || fd.Type != "Sig" && fd.Type != "" {
			return nil
		}
		c, key, err := d.fieldValue(i, fd)
		if err != nil || c == nil {
			return err
		}
		if other := known[key]; other != nil {
			if final {
				other.fail(FormatFailure, say("two fields share one signature: %s and %s", cleanText(other.Field), cleanText(fd.Name)))
			}
			return nil
		}
		known[key] = c
		c.name, c.Field, c.fieldRef = fd.Name, cleanText(fd.Name), fd.Ref
		if !final {
			c.fail(FormatFailure, say("the signature was removed from the document by a later revision"))
			c.Modification = ModificationFailed
		}
		return d.add(c)
	})
}

// fieldValue reads the value of a signature field; nil when there is none.
func (d *document) fieldValue(i int, fd *pdf.Field) (*candidate, placeKey, error) {
	f, err := d.view(i)
	if err != nil {
		return nil, placeKey{}, err
	}
	holder, indirect := fd.Value.(pdf.Ref)
	if !indirect {
		if holder = fd.Ref; fd.Dict["V"] == nil {
			holder = fd.Parent
		}
	}
	v, dups, err := d.read(f, holder)
	if bad, ok := v.(unread); ok {
		err = bad.why
	}
	if !indirect {
		v = fd.Value
	} else if err == nil {
		v, err = f.Resolve(v)
	}
	if err != nil {
		return nil, placeKey{}, err
	}
	if v == nil {
		return nil, placeKey{}, nil
	}
	dict, ok := v.(pdf.Dict)
	if !ok {
		if fd.Type == "" {
			return nil, placeKey{}, nil
		}
		dict = pdf.Dict{} // judged as a signature without anything in it
	}
	c := newCandidate(f, dict)
	c.holder, c.direct, c.seen, c.dups = holder, !indirect, i, dups
	return c, keyOf(holder, dict), nil
}

// collectOrphans adds signature dictionaries of revision i that no field of
// the final document reaches. Revisions are taken from the newest back: the
// newest state of what final names is known already.
func (d *document) collectOrphans(i int, known map[placeKey]*candidate, final map[pdf.Ref]bool) error {
	changed, err := d.changed(i)
	if err != nil {
		return err
	}
	f, err := d.view(i)
	if err != nil {
		return err
	}
	for _, ch := range changed {
		judged := final[ch.Ref]
		delete(final, ch.Ref)
		if judged || ch.Free || ch.Compressed { // a signature cannot stand in an object stream
			continue
		}
		o, dups, err := d.read(f, ch.Ref)
		if err != nil {
			return err
		}
		dict, direct := signatureIn(o)
		if dict == nil {
			continue
		}
		key := keyOf(ch.Ref, dict)
		if other := known[key]; other != nil {
			other.fail(FormatFailure, say("the signature dictionary was rewritten by a later revision"))
			other.Modification = ModificationFailed
			continue
		}
		c := newCandidate(f, dict)
		c.holder, c.direct, c.seen, c.dups = ch.Ref, direct, i, dups
		c.fail(FormatFailure, say("no field of the document reaches this signature"))
		known[key] = c
		if err := d.add(c); err != nil {
			return err
		}
	}
	return nil
}

// signatureIn returns the signature dictionary that an object is, or that
// stands directly in it as the value of a field; nil when there is none.
func signatureIn(o pdf.Object) (dict pdf.Dict, direct bool) {
	dict, ok := o.(pdf.Dict)
	if !ok {
		return nil, false
	}
	if v, ok := dict["V"].(pdf.Dict); ok && dict["ByteRange"] == nil {
		dict, direct = v, true
	}
	if dict["ByteRange"] == nil || dict["Contents"] == nil {
		return nil, false
	}
	return dict, direct
}

// errObjects is the answer when a comparison would read more than the limit.
var errObjects = say("the document has more objects to compare than the limit allows")

// get reads one object against the budget of the call. An object that cannot
// be read is unreadable, not an error; see unread.
func (d *document) get(f *pdf.File, ref pdf.Ref) (pdf.Object, error) {
	o, _, err := d.read(f, ref)
	return o, err
}

// read is get, with the keys that the object repeats.
func (d *document) read(f *pdf.File, ref pdf.Ref) (pdf.Object, []pdf.Duplicate, error) {
	if d.objects++; d.objects > d.lim.Objects {
		return nil, nil, errObjects
	}
	if kept, ok := d.kept[keptKey{f, ref}]; ok {
		return kept.o, kept.dups, nil
	}
	o, dups, err := f.Read(ref)
	w := weight(o)
	d.objects += w / workPerObject
	if err != nil {
		if d.src.err != nil {
			return nil, nil, d.src.err
		}
		return unread{technical(err.Error())}, nil, nil
	}
	if w >= keptWeight && w <= 16*keptWeight && len(d.kept) < keptObjects {
		if d.kept == nil {
			d.kept = map[keptKey]keptObject{}
		}
		d.kept[keptKey{f, ref}] = keptObject{o, dups}
	}
	return o, dups, nil
}

// keptObject is an object that takes long to read and is wanted again, as
// signature dictionaries are. Nobody changes it.
type keptObject struct {
	o    pdf.Object
	dups []pdf.Duplicate
}

type keptKey struct {
	f   *pdf.File
	ref pdf.Ref
}

// weight counts the values in an object, so that large ones read again and
// again cost what they take.
func weight(o pdf.Object) int {
	n := 1
	switch v := o.(type) {
	case pdf.String:
		n += len(v) / 64
	case pdf.Array:
		for _, e := range v {
			n += weight(e)
		}
	case pdf.Dict:
		for _, e := range v {
			n += weight(e)
		}
	case *pdf.Stream:
		n += weight(v.Dict)
	}
	return n
}

// unread stands for an object that cannot be read. It equals nothing.
type unread struct{ why *phrase }

// algorithmName names a signature algorithm for people.
func algorithmName(si *cms.SignerInfo) string {
	oid := si.SignatureAlgorithm.Algorithm.String()
	names := map[string]string{
		"1.2.840.113549.1.1.1":  "RSA",
		"1.2.840.113549.1.1.5":  "RSA with SHA-1",
		"1.2.840.113549.1.1.10": "RSA-PSS",
		"1.2.840.113549.1.1.11": "RSA with SHA-256",
		"1.2.840.113549.1.1.12": "RSA with SHA-384",
		"1.2.840.113549.1.1.13": "RSA with SHA-512",
		"1.2.840.10045.2.1":     "ECDSA",
		"1.2.840.10045.4.1":     "ECDSA with SHA-1",
		"1.2.840.10045.4.3.2":   "ECDSA with SHA-256",
		"1.2.840.10045.4.3.3":   "ECDSA with SHA-384",
		"1.2.840.10045.4.3.4":   "ECDSA with SHA-512",
		"1.3.101.112":           "Ed25519",
		"1.3.101.113":           "Ed448",

		"2.16.840.1.101.3.4.3.17": "ML-DSA-44",
		"2.16.840.1.101.3.4.3.18": "ML-DSA-65",
		"2.16.840.1.101.3.4.3.19": "ML-DSA-87",
	}
	name, ok := names[oid]
	if !ok {
		name = oid
	}
	if slices.Contains([]string{"RSA", "RSA-PSS", "ECDSA"}, name) && si.DigestAlgorithm != 0 {
		name += " with " + si.DigestAlgorithm.String()
	}
	return name
}

// x509Certs reads /Cert of adbe.x509.rsa_sha1: one string or an array of them,
// the signer first.
func x509Certs(f *pdf.File, o pdf.Object, max int) []*x509.Certificate {
	o, err := f.Resolve(o)
	if err != nil {
		return nil
	}
	list, ok := o.(pdf.Array)
	if !ok {
		list = pdf.Array{o}
	}
	var certs []*x509.Certificate
	for i, e := range list {
		if i == max {
			break
		}
		s, err := f.String(e)
		if err != nil {
			continue
		}
		if c, err := cms.ParseCertificate([]byte(s)); err == nil {
			certs = append(certs, c)
		}
	}
	return certs
}
