package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func newInit() *cobra.Command {
	var h home
	var service string
	cmd := &cobra.Command{
		Use:   "init --dir DIR",
		Short: "Make a development directory: specimen PKI, seal keys, trust files and ledger",
		Long: `Make a development directory: root and issuing authority, e-seal certificates
(RSA-2048 and P-256), CRLs, certificates of a timestamp authority and an OCSP
responder, seal keys, trust files and an empty ledger. Everything is marked
SPECIMEN and can never verify as a real stamp. Secrets are readable by their
owner alone.

With --url the certificates name the OCSP responder, the CRLs and the issuers'
certificates at that address, where 'meterai pki' is to answer; --level b-lt then
finds all of it by the certificate alone.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			base, err := serviceURL(service)
			if err != nil {
				return err
			}
			if err := h.createFor(cmd.Context(), base); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), `%s is ready. Next:
  meterai credit --dir %s --account me --units 10 --key invoice-1
  meterai stamp  --dir %s --account me --in in.pdf --out out.pdf
  meterai verify --dir %s out.pdf
`, h.dir, h.dir, h.dir, h.dir)
			return nil
		},
	}
	addDir(cmd, &h)
	cmd.Flags().StringVar(&service, "url", "", "address of 'meterai pki' for the certificates, such as http://127.0.0.1:8318")
	return cmd
}

// serviceURL is the address that certificates begin theirs with; "" for none.
func serviceURL(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", usage("--url is an address such as http://127.0.0.1:8318, not %q", s)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// addDir adds the flag that every command needs.
func addDir(cmd *cobra.Command, h *home) {
	cmd.Flags().StringVar(&h.dir, "dir", "", "directory made by init")
	required(cmd, "dir")
}

// requiredFlags is the annotation of a command that names its compulsory flags.
const requiredFlags = "required"

// required makes flags compulsory; missing ones are wrong usage, and told together.
func required(cmd *cobra.Command, names ...string) {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[requiredFlags] += " " + strings.Join(names, " ")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		var missing []string
		for _, name := range strings.Fields(cmd.Annotations[requiredFlags]) {
			if f := cmd.Flags().Lookup(name); f.Value.String() == "" || !f.Changed {
				missing = append(missing, "--"+name)
			}
		}
		switch len(missing) {
		case 0:
			return nil
		case 1:
			return usage("%s is missing; see '%s --help'", missing[0], cmd.CommandPath())
		}
		last := len(missing) - 1
		return usage("%s and %s are missing; see '%s --help'", strings.Join(missing[:last], ", "), missing[last], cmd.CommandPath())
	}
}
