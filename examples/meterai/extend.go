package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

func newExtend() *cobra.Command {
	var h home
	var levels levelFlags
	var in, out string
	var keep bool
	cmd := &cobra.Command{
		Use:   "extend --dir DIR --in SIGNED.pdf --out OUT.pdf --tsa URL [--level b-t|b-lt|b-lta]",
		Short: "Add timestamps and validation data to a signed document, or renew them",
		Long: `Add to a signed document what keeps it verifiable for years: a document timestamp
(b-t, which also makes good one that is owed), validation data (b-lt), or both, with
the timestamp over everything (b-lta). Renew before the timestamp's certificate
expires. It signs nothing and takes no unit.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := levels.check(); err != nil {
				return err
			}
			if levels.level == "b-b" {
				return usage("--level is b-t, b-lt or b-lta: a signed document is b-b already")
			}
			if keep {
				if err := notThere(out); err != nil {
					return err
				}
			}
			return h.extend(cmd, &levels, in, out)
		},
	}
	addDir(cmd, &h)
	levels.add(cmd, "b-lta")
	cmd.Flags().StringVar(&in, "in", "", "signed document")
	cmd.Flags().StringVar(&out, "out", "", "extended document to write")
	addKeep(cmd, &keep)
	required(cmd, "in", "out")
	return cmd
}

func (h home) extend(cmd *cobra.Command, f *levelFlags, in, out string) error {
	p, err := h.loadPKI()
	if err != nil {
		return err
	}
	lv, err := f.open(h, p)
	if err != nil {
		return err
	}
	src, size, err := openFile(in)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := notSameFile(src, out); err != nil {
		return err
	}
	update, res, err := lv.extend(cmd.Context(), src, size, lv.level != 2)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	err = writeFile(out, func(w io.Writer) error {
		if _, err := io.Copy(w, io.NewSectionReader(src, 0, size)); err != nil {
			return err
		}
		_, err := w.Write(update)
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range res.Missing {
		fmt.Fprintln(cmd.ErrOrStderr(), "meterai: note: "+oneLine(m.Error()))
	}
	said := fmt.Sprintf("%d certificates, %d OCSP responses, %d CRLs", res.Certificates, res.OCSPs, res.CRLs)
	if !res.Timestamp.IsZero() {
		said += ", timestamp " + res.Timestamp.Format(time.RFC3339)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", out, said)
	return err
}
