package verify

import (
	"slices"
	"strings"

	"github.com/seed-574216e4/meterai/pdf"
)

// changeLevel orders what later revisions may do.
type changeLevel int

const (
	noChange       changeLevel = iota
	validationData             // DSS, document timestamps, metadata: allowed under every DocMDP
	formFilling                // and signing
	annotating
	otherChange // nobody may
)

// permissions are what a signer allows to happen afterwards (ISO 32000-2,
// 12.8.2): DocMDP and FieldMDP in the signature, SigFieldLock in its field.
type permissions struct {
	level     changeLevel // the highest allowed
	certified bool        // by DocMDP
	stated    bool        // a level was given
	locks     []fieldLock
	bad       *phrase // what is wrong with them
}

// fieldLock is one FieldMDP or SigFieldLock.
type fieldLock struct {
	action pdf.Name // All, Include or Exclude
	fields []string
}

// permissionsOf reads the permissions of a signature as signed.
func permissionsOf(f *pdf.File, sig pdf.Dict, field pdf.Ref) permissions {
	p := permissions{level: formFilling}
	refs, err := f.Array(sig["Reference"])
	if err != nil || len(refs) > 32 {
		p.bad = say("the /Reference of the signature cannot be read")
		return p
	}
	for _, o := range refs {
		p.reference(f, o)
	}
	if field == (pdf.Ref{}) {
		return p
	}
	fd, err := f.Dict(field)
	if err != nil {
		return p // said elsewhere
	}
	lock, err := f.Dict(fd["Lock"])
	if err != nil {
		p.bad = say("the /Lock of the signature field cannot be read")
	}
	if lock != nil {
		p.lock(f, lock)
		if lock["P"] != nil {
			p.docMDP(f, lock["P"])
		}
	}
	return p
}

// reference reads one signature reference dictionary.
func (p *permissions) reference(f *pdf.File, o pdf.Object) {
	d, err := f.Dict(o)
	if err != nil {
		p.bad = say("the /Reference of the signature cannot be read")
		return
	}
	params, err := f.Dict(d["TransformParams"])
	if err != nil {
		p.bad = say("the transform parameters of the signature cannot be read")
		return
	}
	switch method, _ := f.Name(d["TransformMethod"]); method {
	case "DocMDP":
		p.certified = true
		p.docMDP(f, params["P"])
	case "FieldMDP":
		p.lock(f, params)
	}
}

// docMDP takes a level of 12.8.2.2: 2 when it is missing, and for values that
// mean nothing the strictest. Without certification it can only restrict.
func (p *permissions) docMDP(f *pdf.File, o pdf.Object) {
	v, err := f.Int(o)
	if err == nil && o == nil {
		v = 2
	}
	level := validationData
	switch v {
	case 2:
		level = formFilling
	case 3:
		level = annotating
	}
	if level < p.level || p.certified && !p.stated {
		p.level = level
	}
	p.stated = true
}

func (p *permissions) lock(f *pdf.File, d pdf.Dict) {
	action, err := f.Name(d["Action"])
	if err != nil || action == "" {
		return
	}
	l := fieldLock{action: action}
	names, err := f.Array(d["Fields"])
	if err != nil || len(names) > 100_000 {
		p.bad = say("the list of locked fields cannot be read")
		return
	}
	for _, o := range names {
		if s, err := f.String(o); err == nil {
			l.fields = append(l.fields, s.Text())
		}
	}
	p.locks = append(p.locks, l)
}

// locked tells whether a field may not change any more.
func (p *permissions) locked(name string) bool {
	return slices.ContainsFunc(p.locks, func(l fieldLock) bool {
		listed := slices.ContainsFunc(l.fields, func(f string) bool {
			return name == f || strings.HasPrefix(name, f+".")
		})
		switch l.action {
		case "Include":
			return listed
		case "Exclude":
			return !listed
		}
		return true // All, and what is not known
	})
}
