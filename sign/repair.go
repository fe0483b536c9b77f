package sign

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/seed-574216e4/meterai/pdf"
)

// A RepairError reports a damaged document that [Options.AllowRepair] does not
// help: what would be stamped is not what its readers have seen.
type RepairError struct {
	Why  string // what is wrong with the file
	What string // why it is not stamped all the same
}

func (e *RepairError) Error() string {
	return "sign: the damaged document (" + e.Why + ") " + e.What
}

// Is reports whether target is [pdf.ErrDamaged].
func (e *RepairError) Is(target error) bool { return target == pdf.ErrDamaged }

// openRepaired is Open of a file that a regular reading calls damaged, which is
// cause.
func openRepaired(r io.ReaderAt, size int64, opt *Options, cause error) (*Document, error) {
	d := &Document{r: r, opt: *opt, repair: pdf.RepairDamaged}
	err := d.preflight(size)
	switch {
	case d.file == nil && !errors.Is(err, pdf.ErrDamaged): // a limit, or the reader
		return nil, err
	case d.file == nil || d.file.Repaired() == nil: // what is wrong is something else
		return nil, cause
	case err != nil:
		return nil, err
	}
	return d, nil
}

// checkRepaired refuses a repaired file that readers differ about, or whose
// signatures the update would break: it replaces the cross-reference data of all
// revisions, and a signature counts only in the revision that it closed.
func (d *Document) checkRepaired() error {
	how := d.file.Repaired()
	if how == nil {
		return nil
	}
	signed := false
	err := d.file.Fields(func(f *pdf.Field) error {
		signed = signed || f.Type == "Sig" && f.Value != nil
		return nil
	})
	if err != nil {
		return err
	}
	if signed || d.form.catalog["Perms"] != nil {
		return &RepairError{Why: how.Why, What: "is signed, and strict readers would call the earlier signatures broken"}
	}
	d.warn("the document is damaged (" + how.Why + ") and was read by repair: what readers showed of it before may differ from what the stamped document shows")
	differ := slices.Concat(how.Ambiguities, how.Lost, how.Disputed)
	if len(differ) == 0 {
		return nil
	}
	if !d.opt.AllowAmbiguous {
		return fmt.Errorf("%w, which is damaged: %s", ErrAmbiguous, differ[0])
	}
	d.warn("readers that repair the document differ (" + differ[0] + "): a verifier cannot say that the stamp changed nothing else")
	return nil
}

// damaged tells errors that a repair may help.
func damaged(err error) bool {
	var repair *RepairError
	return errors.Is(err, pdf.ErrDamaged) && !errors.As(err, &repair)
}
