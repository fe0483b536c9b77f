package sign

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/sign/ltv"
	"github.com/seed-574216e4/meterai/sign/tsa"
)

// maxSignatures bounds how many signatures of a document are looked at.
const maxSignatures = 1000

// A signed is what of a signature the search for validation data needs.
type signed struct {
	field     string
	end       int64 // of its byte range
	timestamp bool  // a document timestamp
	contents  pdf.String
}

// addData appends a revision with the validation data that the document lacks.
func (x *extender) addData(ctx context.Context) error {
	f, err := pdf.Open(x.r, x.size, &pdf.Options{Limits: x.opt.Limits, Password: x.opt.Password})
	if err != nil {
		return err
	}
	list, err := signatures(f)
	if err != nil {
		return err
	}
	needed, err := x.needed(f, list)
	if err != nil {
		return err
	}
	data := &ltv.Data{}
	for i, s := range list {
		found, err := x.gather(ctx, s)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if found != nil {
			data.Add(found)
		}
		if err != nil {
			err = &ExtendError{What: fmt.Sprintf("validation data of the signature in field %q", s.field), Err: err}
			if i == needed {
				return err
			}
			x.res.Missing = append(x.res.Missing, err)
		}
	}
	return x.writeDSS(f, data)
}

// needed is the signature without whose data there is nothing to add: the newest one, or, when the document has
// validation data already and is renewed, its newest timestamp. The services of the signer may be gone by then.
func (x *extender) needed(f *pdf.File, list []signed) (int, error) {
	catalog, err := f.Catalog()
	if err != nil {
		return 0, err
	}
	newest, stamp := -1, -1
	for i, s := range list {
		at := &newest
		if s.timestamp {
			at = &stamp
		}
		if *at < 0 || s.end > list[*at].end {
			*at = i
		}
	}
	switch {
	case newest < 0:
		return 0, &ExtendError{What: "the document has no signature"}
	case catalog["DSS"] != nil && stamp >= 0:
		return stamp, nil
	}
	return newest, nil
}

// signatures reads the signatures of a document.
func signatures(f *pdf.File) (list []signed, err error) {
	err = f.Fields(func(fd *pdf.Field) error {
		if fd.Type != "Sig" || fd.Value == nil {
			return nil
		}
		dict, err := f.Dict(fd.Value)
		if err != nil || dict == nil {
			return err
		}
		s := signed{field: fd.Name}
		if s.contents, err = f.String(dict["Contents"]); err != nil {
			return err
		}
		kind, err := f.Name(dict["SubFilter"])
		if err != nil {
			return err
		}
		s.timestamp = kind == "ETSI.RFC3161"
		ranges, err := f.Array(dict["ByteRange"])
		if err != nil {
			return err
		}
		for _, o := range ranges[max(0, len(ranges)-2):] {
			n, err := f.Int(o)
			if err != nil {
				return err
			}
			s.end += n
		}
		if list = append(list, s); len(list) > maxSignatures {
			return &ExtendError{What: fmt.Sprintf("the document has more than %d signatures", maxSignatures)}
		}
		return nil
	})
	return list, err
}

// gather finds the validation data of a signature and of its timestamps. What
// was found before an error is given as well.
func (x *extender) gather(ctx context.Context, s signed) (*ltv.Data, error) {
	if s.timestamp {
		return x.gatherToken(ctx, []byte(s.contents))
	}
	sd, err := cms.Parse([]byte(s.contents), nil)
	if err != nil {
		return nil, err
	}
	certs, err := sd.Certificates()
	if err != nil && len(certs) == 0 {
		return nil, err
	}
	data := &ltv.Data{}
	for i := range sd.Signers {
		si := &sd.Signers[i]
		cert := signerOf(si, certs)
		if cert == nil {
			return data, errors.New("the signer's certificate is not in the signature")
		}
		found, err := x.opt.Data.Collect(ctx, cert, certs)
		if err != nil {
			return data, err
		}
		data.Add(found)
		for _, token := range si.Unsigned(cms.TimestampToken()) {
			found, err := x.gatherToken(ctx, token)
			if err != nil {
				return data, fmt.Errorf("timestamp: %w", err)
			}
			data.Add(found)
		}
	}
	return data, nil
}

func signerOf(si *cms.SignerInfo, certs []*x509.Certificate) *x509.Certificate {
	for _, c := range certs {
		if si.Matches(c) {
			return c
		}
	}
	return nil
}

// gatherToken finds the validation data of a timestamp. In /Contents there are
// zeros behind it.
func (x *extender) gatherToken(ctx context.Context, raw []byte) (*ltv.Data, error) {
	sd, err := cms.Parse(raw, nil)
	if err != nil {
		return nil, err
	}
	token, err := tsa.Parse(raw[:sd.Length])
	if err != nil {
		return nil, err
	}
	return x.opt.Data.Collect(ctx, token.Certificate, token.Certificates)
}

// writeDSS appends a revision with the validation data that is not in the
// document yet (EN 319 142-1, 5.4.2). What is there stays.
func (x *extender) writeDSS(f *pdf.File, data *ltv.Data) error {
	now, err := f.Catalog()
	if err != nil {
		return err
	}
	catalog := cloneDict(now)
	ref, _ := catalog["DSS"].(pdf.Ref)
	old, err := f.Dict(catalog["DSS"])
	if err != nil {
		return fmt.Errorf("sign: validation data of the document: %w", err)
	}
	w := &dssWriter{file: f, update: pdf.NewUpdate(f), dict: cloneDict(old)}
	w.dict["Type"] = pdf.Name("DSS")
	var certs [][]byte
	for _, c := range data.Certificates {
		certs = append(certs, c.Raw)
	}
	newCerts, newOCSPs, newCRLs := w.add("Certs", certs), w.add("OCSPs", data.OCSPs), w.add("CRLs", data.CRLs)
	if w.err != nil {
		return fmt.Errorf("sign: validation data of the document: %w", w.err)
	}
	if newCerts+newOCSPs+newCRLs == 0 {
		return nil
	}
	x.res.Certificates += newCerts
	x.res.OCSPs += newOCSPs
	x.res.CRLs += newCRLs
	if old != nil && ref != (pdf.Ref{}) {
		w.update.Set(ref, w.dict)
	} else {
		catalog["DSS"] = w.update.Add(w.dict)
		w.update.Set(f.CatalogRef(), catalog)
	}
	b, err := w.update.Bytes()
	x.update = append(x.update, b...)
	return err
}

// dssWriter keeps its first error.
type dssWriter struct {
	file   *pdf.File
	update *pdf.Update
	dict   pdf.Dict
	err    error
}

// add puts what the array of that name lacks into it and says how many that are.
func (w *dssWriter) add(name pdf.Name, list [][]byte) int {
	if w.err != nil || len(list) == 0 {
		return 0
	}
	array, err := w.file.Array(w.dict[name])
	if err != nil {
		w.err = err
		return 0
	}
	have := make(map[[32]byte]bool)
	for _, o := range array {
		s, err := w.file.Stream(o)
		if err != nil || s == nil {
			continue // which no verifier can read either
		}
		b, err := w.file.Decode(s)
		if err != nil {
			continue
		}
		have[sha256.Sum256(b)] = true
	}
	added := 0
	array = array[:len(array):len(array)]
	for _, b := range list {
		if have[sha256.Sum256(b)] {
			continue
		}
		array = append(array, w.update.Add(&pdf.Stream{Dict: pdf.Dict{}, Data: b}))
		added++
	}
	if added > 0 {
		w.dict[name] = array
	}
	return added
}
