package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
)

// A config says where the portal listens and what it stands on. The file has
// these names; an empty one is the default.
//
//	{
//	  "listen": "127.0.0.1:8080",
//	  "url": "https://stamps.example.id",
//	  "dir": "/var/lib/portal",
//	  "database": "postgres://portal@db.example.id/meterai",
//	  "series": "/etc/portal/series.json",
//	  "token": {
//	    "module": "/usr/lib/softhsm/libsofthsm2.so", "label": "stamps", "pin_file": "/run/secrets/pin",
//	    "key": "e-seal", "certificate": "/etc/portal/e-seal.pem", "seal_key": "seal"
//	  },
//	  "limits": {"workers": 16}
//	}
type config struct {
	Listen string `json:"listen"` // address; "" is 127.0.0.1:8080
	// URL is the address that people see, without a slash at its end; "" is
	// http:// and the address that is listened on. With https, cookies are
	// sent over it alone.
	URL         string `json:"url"`
	BehindProxy bool   `json:"behind_proxy"` // the last address of X-Forwarded-For is the visitor's
	Dir         string `json:"dir"`          // uploads, accounts and, without more, everything else

	Database   string       `json:"database"`    // connection string of PostgreSQL; "" is the embedded ledger
	Series     string       `json:"series"`      // file with epoch, issuer and key of the numbers; "" is a specimen series
	Token      *tokenConfig `json:"token"`       // keys in a PKCS#11 token; nil is a specimen PKI
	SealPrefix string       `json:"seal_prefix"` // upper-case URL before the seal's text, ending in "/"
	Value      uint32       `json:"value"`       // tariff in rupiah; 0 is 10000

	Limits limits `json:"limits"`
}

// A tokenConfig names the keys in a PKCS#11 token.
type tokenConfig struct {
	Module      string `json:"module"`      // the token's library
	Label       string `json:"label"`       // of the token
	PINFile     string `json:"pin_file"`    // read at each login
	Key         string `json:"key"`         // label of the key that signs documents
	Certificate string `json:"certificate"` // file with its certificate and the path above it, PEM
	SealKey     string `json:"seal_key"`    // label of the key that signs seals: P-256 or Ed25519
	Specimen    bool   `json:"specimen"`    // marks the stamps of a test certificate
}

// readConfig reads the command line and the file that it names. migrate asks to
// bring the database's schema up to date and to stop.
func readConfig(args []string, usage io.Writer) (c config, migrate bool, err error) {
	flags := flag.NewFlagSet("portal", flag.ContinueOnError)
	flags.SetOutput(usage)
	file := flags.String("config", "", "JSON `file` with the configuration; see the documentation of config")
	dir := flags.String("dir", "", "`folder` of the portal's data (default: meterai-portal in the user's cache)")
	listen := flags.String("listen", "", "`address` to listen on (default 127.0.0.1:8080)")
	flags.BoolVar(&migrate, "migrate", false, "make or update the PostgreSQL schema, and stop")
	if err := flags.Parse(args); err != nil {
		return c, false, err
	}
	if flags.NArg() > 0 {
		return c, false, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *file != "" {
		b, err := os.ReadFile(*file)
		if err != nil {
			return c, false, err
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields() // a mistyped name must not be a default
		if err := dec.Decode(&c); err != nil {
			return c, false, fmt.Errorf("%s: %w", *file, err)
		}
	}
	if *dir != "" {
		c.Dir = *dir
	}
	if *listen != "" {
		c.Listen = *listen
	}
	c, err = c.withDefaults()
	return c, migrate, err
}

func (c config) withDefaults() (config, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.Dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			cache = "."
		}
		c.Dir = filepath.Join(cache, "meterai-portal")
	}
	if c.Value == 0 {
		c.Value = 10000
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.Path != "" || (u.Scheme != "http" && u.Scheme != "https") {
			return c, fmt.Errorf("url: %q is not of the form https://name", c.URL)
		}
	}
	c.Limits = c.Limits.withDefaults()
	return c, nil
}
