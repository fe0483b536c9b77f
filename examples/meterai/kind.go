package main

import (
	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/sign"
)

// kindFlags say what kind of signature carries the stamp.
type kindFlags struct {
	certify, profile string
}

var (
	certifications = map[string]sign.Changes{"no-changes": sign.NoChanges, "forms": sign.FormChanges, "comments": sign.CommentChanges}
	profiles       = map[string]sign.Profile{"pades": sign.PAdES, "adobe": sign.Adobe}
)

func (f *kindFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.certify, "certify", "", "certify the document, permitting later: no-changes, forms or comments")
	cmd.Flags().StringVar(&f.profile, "profile", "pades", "form of the signature: pades, or adobe for old consumers")
}

func (f *kindFlags) check() error {
	if _, ok := certifications[f.certify]; !ok && f.certify != "" {
		return usage("--certify is no-changes, forms or comments, not %q", f.certify)
	}
	if _, ok := profiles[f.profile]; !ok {
		return usage("--profile is pades or adobe, not %q", f.profile)
	}
	return nil
}

func (f *kindFlags) put(opt *sign.Options) {
	opt.Profile = profiles[f.profile]
	if f.certify != "" {
		opt.Certify = &sign.Certification{Changes: certifications[f.certify]}
	}
}

// asked is what the ledger keeps of the kind: nothing for the usual one.
func (f *kindFlags) asked() string {
	s := ""
	if f.certify != "" {
		s += " certify=" + f.certify
	}
	if profiles[f.profile] != sign.PAdES {
		s += " profile=" + f.profile
	}
	return s
}
