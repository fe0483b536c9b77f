package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
)

// The files of a directory that belong to the published lists.
func (h home) listKey() string    { return filepath.Join(h.dir, "list.key") }    // PKCS #8 in PEM, 0600
func (h home) statusList() string { return filepath.Join(h.dir, "status.list") } // the newest one

// publishFlags are the flags of publish.
type publishFlags struct {
	home
	out, revoke, at, reason string
	valid                   time.Duration
	asJSON                  bool
}

func newPublish() *cobra.Command {
	var f publishFlags
	cmd := &cobra.Command{
		Use:   "publish --dir DIR --out FILE [--valid 24h] [--revoke KEY [--revoked-at TIME] [--reason WHY]]",
		Short: "Publish the void serials and revoked seal keys, as a signed list",
		Long: `Publish the void serials of the ledger and the revoked seal keys, as a signed list
that anybody can check and use: 'meterai verify --list FILE'. A list is current until
the next one is due; publish one before that, from a timer.

--revoke takes a seal key out of use: its id of 8 hexadecimal digits, as
'meterai doctor' tells it, or its whole hash of 64. Of a stolen key give as --revoked-at the
earliest time at which it can have been stolen: only stamps that a timestamp proves
to be older stay good. A revocation stays on all later lists. --reason is
unspecified, key-compromise, superseded or cessation.

The directory keeps the newest list (status.list): the next number, and the
revocations, come from there. Run one publish at a time.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	addDir(cmd, &f.home)
	fl := cmd.Flags()
	fl.StringVar(&f.out, "out", "", "file to write")
	fl.DurationVar(&f.valid, "valid", 24*time.Hour, "time until the next list is due")
	fl.StringVar(&f.revoke, "revoke", "", "seal key to revoke: its id or hash, hexadecimal")
	fl.StringVar(&f.at, "revoked-at", "", "time from which the key is not trusted, RFC 3339 (default: now)")
	fl.StringVar(&f.reason, "reason", "unspecified", "why the key is revoked")
	fl.BoolVar(&f.asJSON, "json", false, "one JSON object")
	required(cmd, "out")
	return cmd
}

var revocationReasons = map[string]verify.RevocationReason{
	"unspecified": verify.ReasonUnspecified, "key-compromise": verify.ReasonKeyCompromise,
	"superseded": verify.ReasonSuperseded, "cessation": verify.ReasonCessation,
}

func (f *publishFlags) run(cmd *cobra.Command) error {
	if f.valid < time.Second {
		return usage("--valid is at least 1s")
	}
	trust, err := readSealTrust(f.sealTrust())
	if err != nil {
		return f.missing(err)
	}
	d := &verify.StatusListDraft{Number: 1, Issued: time.Now().UTC().Truncate(time.Second), Specimen: true}
	d.NextUpdate = d.Issued.Add(f.valid.Truncate(time.Second))
	if err := f.follow(d, trust); err != nil {
		return err
	}
	if err := f.addRevocation(d, trust); err != nil {
		return err
	}
	if err := f.withLedger(cmd.Context(), func(l *ledger) error {
		d.Void, err = voidSerials(cmd.Context(), l)
		return err
	}); err != nil {
		return err
	}
	list, err := f.write(d, trust)
	if err != nil {
		return err
	}
	return f.say(cmd.OutOrStdout(), list)
}

// follow takes the number and the revocations from the list before.
func (f *publishFlags) follow(d *verify.StatusListDraft, trust *verify.SealTrust) error {
	last, err := readStatusList(f.statusList(), trust)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the list before cannot be used, and its revocations would be lost: %w", err)
	case last.Issued.After(d.Issued):
		return fmt.Errorf("the list before was issued at %s, and the clock says %s: set it right", last.Issued.Format(time.RFC3339), d.Issued.Format(time.RFC3339))
	}
	d.Number, d.Revoked = last.Number+1, slices.Collect(last.Revoked())
	return nil
}

// addRevocation revokes the key that the flags name. The earliest time counts.
func (f *publishFlags) addRevocation(d *verify.StatusListDraft, trust *verify.SealTrust) error {
	reason, known := revocationReasons[f.reason]
	switch {
	case !known:
		return usage("--reason is unspecified, key-compromise, superseded or cessation, not %q", f.reason)
	case f.revoke == "" && (f.at != "" || f.reason != "unspecified"):
		return usage("--revoked-at and --reason go with --revoke")
	case f.revoke == "":
		return nil
	}
	r := verify.RevokedKey{At: d.Issued, Reason: reason}
	if f.at != "" {
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return usage("--revoked-at: %q is no time such as 2024-09-03T08:00:00+07:00", f.at)
		}
		r.At = at.Truncate(time.Second)
	}
	var err error
	if r.Key, err = trustedKey(f.revoke, trust); err != nil {
		return err
	}
	i := slices.IndexFunc(d.Revoked, func(o verify.RevokedKey) bool { return o.Key == r.Key })
	switch {
	case i < 0:
		d.Revoked = append(d.Revoked, r)
	case r.At.Before(d.Revoked[i].At):
		d.Revoked[i] = r
	default:
		return fmt.Errorf("that key is revoked since %s already", d.Revoked[i].At.Format(time.RFC3339))
	}
	return nil
}

// trustedKey finds the seal key of the trust list that has an id or hash.
func trustedKey(id string, trust *verify.SealTrust) (hash [32]byte, err error) {
	id = strings.ToLower(id)
	if b, err := hex.DecodeString(id); err != nil || len(b) != 4 && len(b) != 32 {
		return hash, usage("--revoke takes 8 or 64 hexadecimal digits, not %q", id)
	}
	found := map[[32]byte]bool{}
	for i := range trust.Entries {
		k, err := trust.Entries[i].Key()
		if err != nil {
			return hash, err
		}
		if h := k.Hash(); strings.HasPrefix(hex.EncodeToString(h[:]), id) {
			hash, found[h] = h, true
		}
	}
	if len(found) != 1 {
		return hash, fmt.Errorf("%d seal keys of this directory begin with %s; 'meterai doctor' names them", len(found), id)
	}
	return hash, nil
}

// voidSerials walks the ledger as of one moment.
func voidSerials(ctx context.Context, l *ledger) ([]serial.Number, error) {
	var void []serial.Number
	err := l.store.Scan(ctx, func(r serial.Reader) error {
		for res, err := range r.Reservations(ctx, false) {
			if err != nil {
				return err
			}
			if res.State == serial.Void {
				void = append(void, res.Number)
			}
		}
		return nil
	})
	return void, err
}

// write signs the list, checks it as a verifier would, and keeps it before it is
// handed out, so that no number is used for two lists.
func (f *publishFlags) write(d *verify.StatusListDraft, trust *verify.SealTrust) (*verify.StatusList, error) {
	signer, err := readKey(f.listKey())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the directory was made by a version that published no lists; make a new one with init", err)
	}
	if err != nil {
		return nil, err
	}
	b, err := d.Sign(signer)
	if err != nil {
		return nil, err
	}
	list, err := verify.ParseStatusList(b, trust)
	if err != nil {
		return nil, err
	}
	for _, path := range []string{f.statusList(), f.out} {
		if err := replaceFile(path, func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// listLine is the JSON of publish.
type listLine struct {
	File       string    `json:"file"`
	Number     uint64    `json:"number"`
	Issued     time.Time `json:"issued"`
	NextUpdate time.Time `json:"next_update"`
	Void       int       `json:"void"`
	Revoked    []string  `json:"revoked"` // hashes of keys
}

func (f *publishFlags) say(w io.Writer, l *verify.StatusList) error {
	line := listLine{File: f.out, Number: l.Number, Issued: l.Issued, NextUpdate: l.NextUpdate, Void: l.VoidCount(), Revoked: []string{}}
	for r := range l.Revoked() {
		line.Revoked = append(line.Revoked, hex.EncodeToString(r.Key[:]))
	}
	if f.asJSON {
		return json.NewEncoder(w).Encode(line)
	}
	_, err := fmt.Fprintf(w, "%s: list %d, %s, %s; the next is due at %s\n", f.out, l.Number, count(int64(line.Void), "void serial"),
		count(int64(len(line.Revoked)), "revoked key"), l.NextUpdate.Format(time.RFC3339))
	return err
}

// makeListKey makes the key that signs lists: not the seal key, so that who steals
// that cannot say that nothing was revoked.
func (h home) makeListKey() (*seal.Key, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(h.listKey(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return seal.NewKey(key.Public())
}

// readKey reads a private key, PKCS #8 in PEM. Its content is in no error.
func readKey(file string) (crypto.Signer, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s is damaged", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s is damaged", file)
	}
	return signer, nil
}
