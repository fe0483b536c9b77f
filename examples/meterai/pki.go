package main

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/testdata/pki/pkiserver"
)

func newPKI() *cobra.Command {
	var h home
	var listen string
	cmd := &cobra.Command{
		Use:   "pki --dir DIR [--listen ADDR]",
		Short: "Run the timestamp, OCSP and CRL service of the development PKI",
		Long: `Run the timestamp authority, OCSP responder and CRL service of the PKI that init
made, over HTTP, until it is interrupted. Everything it answers is marked SPECIMEN.
The first lines of output are its addresses.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := h.loadPKI()
			if err != nil {
				return err
			}
			service, err := pkiserver.New(p, nil)
			if err != nil {
				return err
			}
			l, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", listen)
			if err != nil {
				return err
			}
			base := "http://" + l.Addr().String()
			for _, a := range []struct{ what, path string }{
				{"timestamps", "/tsa"}, {"OCSP", "/ocsp"}, {"CRL", "/issuing.crl"}, {"CRL of the root", "/root.crl"},
			} {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-16s %s\n", a.what, base+a.path); err != nil {
					return err
				}
			}
			return service.Serve(cmd.Context(), l)
		},
	}
	addDir(cmd, &h)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8318", "address to listen on; port 0 chooses a free one")
	return cmd
}
