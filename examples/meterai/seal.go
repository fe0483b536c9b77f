package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"

	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
	"github.com/seed-574216e4/meterai/verify/scan"
)

const sealHelp = `Verify the text of a printed seal. A genuine seal proves that the issuer sealed a
document of that length and digest then; whether the paper at hand is that
document only the file can tell. --image reads a PNG or JPEG image of a page, of
150 to 300 dpi best, and verifies every seal in it; the worst answer counts.

Exit code: 0 genuine seal, 1 not genuine, 5 cannot be decided.`

func newSeal() *cobra.Command {
	var h home
	var asJSON bool
	var file, lang string
	var status statusFlags
	cmd := &cobra.Command{
		Use:   "seal --dir DIR [--json] [--lang id|en] {TEXT | --image FILE}",
		Short: "Verify what a phone read from a printed stamp, or a scanned page",
		Long:  sealHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (file != "") || len(args) > 1 {
				return usage("give the text as one argument, or --image FILE; see '%s --help'", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			tag, err := languageOf(lang)
			if err != nil {
				return err
			}
			opt, err := h.verifyOptions()
			if err == nil {
				err = status.apply(h, opt, true)
			}
			if err != nil {
				return err
			}
			if file != "" {
				if args, err = sealsIn(cmd.Context(), file); err != nil {
					return err
				}
			}
			if strings.TrimSpace(args[0]) == "" {
				return usage("the text is empty: did the reader find the symbol? draw the page at 150 dpi or more")
			}
			return errors.Join(judgeSeals(cmd.Context(), sealPrinter(cmd.OutOrStdout(), tag, asJSON), args, opt), status.close())
		},
	}
	addDir(cmd, &h)
	status.add(cmd)
	addLang(cmd, &lang)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a seal")
	cmd.Flags().StringVar(&file, "image", "", "read the seals from this PNG or JPEG image")
	return cmd
}

// sealPrinter prints reports as JSON or as text in a language.
func sealPrinter(w io.Writer, tag language.Tag, asJSON bool) func(*verify.SealReport) error {
	return func(r *verify.SealReport) error {
		if asJSON {
			return json.NewEncoder(w).Encode(r)
		}
		_, err := io.WriteString(w, r.TextIn(tag))
		return err
	}
}

// judgeSeals prints the answer for each text, and gives the worst.
func judgeSeals(ctx context.Context, print func(*verify.SealReport) error, texts []string, opt *verify.Options) error {
	worst := 0
	for _, text := range texts {
		report, err := verify.SealContext(ctx, text, opt)
		if err != nil {
			return err
		}
		if err := print(report); err != nil {
			return err
		}
		if code := report.ExitCode(); !report.Genuine && worst != 1 {
			worst = code
		}
	}
	if worst != 0 {
		return &exitError{code: worst}
	}
	return nil
}

// sealsIn reads the texts of an image that have the form of seals; at least one.
func sealsIn(ctx context.Context, file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	texts, err := scan.Seals(ctx, f, nil)
	if err != nil {
		return nil, err
	}
	n := len(texts)
	texts = slices.DeleteFunc(texts, func(text string) bool {
		_, _, err := seal.ParseText(text)
		return err != nil
	})
	if len(texts) == 0 {
		return nil, fmt.Errorf("no seal found in %s (symbols of other kinds: %d): is this the page with the stamp? Scan it at 150 to 300 dpi, the stamp flat and in focus", file, n)
	}
	return texts, nil
}
