package audit_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/examples/surge/internal/audit"
	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/plant"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/serial"
)

// first edits the first entry of a kind.
func first(kind serial.Kind, edit func(*serial.Entry) []serial.Entry) func(*serial.Entry) []serial.Entry {
	done := false
	return func(e *serial.Entry) []serial.Entry {
		if done || e.Kind != kind {
			return []serial.Entry{*e}
		}
		done = true
		return edit(e)
	}
}

// without drops the entries that are found.
func without(t *testing.T, in *audit.Input, found func(*serial.Entry) bool) {
	entries(t, in, func(e *serial.Entry) []serial.Entry {
		if found(e) {
			return nil
		}
		return []serial.Entry{*e}
	})
}

// dropped drops the entries of a kind under the key of a want.
func dropped(t *testing.T, in *audit.Input, kind serial.Kind, w *crowd.Want) {
	without(t, in, func(e *serial.Entry) bool { return e.Kind == kind && e.Account == w.Account && string(e.Key) == w.Key })
}

// one is the first want that is found.
func one(t *testing.T, in *audit.Input, found func(*crowd.Want) bool) *crowd.Want {
	t.Helper()
	i := slices.IndexFunc(in.Wants, found)
	require.GreaterOrEqual(t, i, 0)
	return in.Wants[i]
}

// done is the first want of somebody on the way, not of an earlier day, that was done.
func done(t *testing.T, in *audit.Input, op portal.Op) *crowd.Want {
	t.Helper()
	return one(t, in, func(w *crowd.Want) bool {
		return w.Op == op && w.Outcome == portal.Done && slices.ContainsFunc(in.People, func(p load.Person) bool {
			return p.Account == w.Account && (op != portal.Transfer || p.Way == load.Dealer)
		})
	})
}

// bookFaults are entries that are not as they should be.
func bookFaults(in *audit.Input, s []*crowd.Want) map[string]fault {
	return map[string]fault{
		"a serial that was doubled": {unique, "was given to", func(t *testing.T) {
			entries(t, in, first(serial.KindReserve, func(e *serial.Entry) []serial.Entry {
				second := *e
				second.Account = "zz somebody else"
				return []serial.Entry{*e, second}
			}))
		}},
		"two stamps for one request": {unique, "was not SIGNING there", func(t *testing.T) {
			entries(t, in, first(serial.KindStamped, func(e *serial.Entry) []serial.Entry { return []serial.Entry{*e, *e} }))
		}},
		"a number of an issuer that is not ours": {genuine, "is not genuine", func(t *testing.T) { foreign(t, in, s[0]) }},
		"a unit that vanished": {conserved, "units came and", func(t *testing.T) {
			entries(t, in, first(serial.KindTransferIn, func(e *serial.Entry) []serial.Entry { e.Units--; return []serial.Entry{*e} }))
		}},
		"a unit that is held at the end": {conserved, "1 units are still held at the end", func(t *testing.T) {
			without(t, in, func(e *serial.Entry) bool { return e.Kind == serial.KindStamped && e.Number.String() == s[0].Serial })
		}},
		"an entry that was changed": {chain, "its hash is not that of its contents", func(t *testing.T) {
			entries(t, in, first(serial.KindStamped, func(e *serial.Entry) []serial.Entry { e.Length++; return []serial.Entry{*e} }))
		}},
		"an entry that is missing": {chain, "after entry", func(t *testing.T) {
			entries(t, in, first(serial.KindSigning, func(*serial.Entry) []serial.Entry { return nil }))
		}},
	}
}

// moneyFaults are units that were not paid, and payments that came to nothing.
func moneyFaults(in *audit.Input, s []*crowd.Want) map[string]fault {
	return map[string]fault{
		"a doubled credit": {money, "was credited 2 times", func(t *testing.T) {
			w := done(t, in, portal.Credit)
			entries(t, in, func(e *serial.Entry) []serial.Entry {
				if e.Kind == serial.KindPurchase && e.Account == w.Account {
					return []serial.Entry{*e, *e}
				}
				return []serial.Entry{*e}
			})
		}},
		"a payment that was not credited": {money, "which was credited 0 times", func(t *testing.T) {
			change(t, &in.Payments, append(slices.Clone(in.Payments), serial.Payment{Account: s[0].Account, Units: 2, Reference: []byte("lost"), Paid: in.Whole.From}))
		}},
		"units that nobody paid": {money, "which nobody paid", func(t *testing.T) {
			change(t, &in.Wants, slices.DeleteFunc(slices.Clone(in.Wants), func(w *crowd.Want) bool { return w.Op == portal.Credit }))
		}},
		"a refund for which nobody asked": {money, "for which nobody asked", func(t *testing.T) { change(t, &done(t, in, portal.Refund).Op, portal.Order) }},
		"units that were given": {money, "for which nobody asked", func(t *testing.T) {
			entries(t, in, first(serial.KindPurchase, func(e *serial.Entry) []serial.Entry { e.Kind = serial.KindGrant; return []serial.Entry{*e} }))
		}},
	}
}

// foreign gives a stamp the number of another series of the same issuing system, which is not replayed here.
func foreign(t *testing.T, in *audit.Input, w *crowd.Want) {
	var key [32]byte
	copy(key[:], "surge: a specimen, for replays")
	scheme, err := serial.NewScheme('0', "Z1", key)
	require.NoError(t, err)
	n, err := scheme.Number(7)
	require.NoError(t, err)
	require.True(t, plant.Genuine(n, 2), "one that a second issuer would have given")
	entries(t, in, func(e *serial.Entry) []serial.Entry {
		if e.Number.String() == w.Serial {
			e.Number = n
		}
		return []serial.Entry{*e}
	})
}

// paperFaults are documents that are not as they should be.
func paperFaults(in *audit.Input, s []*crowd.Want) map[string]fault {
	return map[string]fault{
		"an output is gone": {exists, "and there is no document", func(t *testing.T) {
			require.NoError(t, os.Rename(file(in, s[0]), file(in, s[0])+".away"))
			t.Cleanup(func() { require.NoError(t, os.Rename(file(in, s[0])+".away", file(in, s[0]))) })
		}},
		"an output too many": {exists, "which nobody was given", func(t *testing.T) { stranger(t, in.Outputs) }},
		"a byte of a document differs": {good, "is not the one that was booked", func(t *testing.T) {
			b := content(t, file(in, s[1]))
			b[len(b)/4] ^= 1
			rewrite(t, file(in, s[1]), b)
		}},
		"a stamped document of another serial": {good, "it carries serial", func(t *testing.T) { rewrite(t, file(in, s[1]), content(t, file(in, s[2]))) }},
		"a document without a stamp":           {good, "is not the one that was booked", func(t *testing.T) { rewrite(t, file(in, s[3]), s[3].Document.Bytes()) }},
		"somebody else's document":             {good, "stamps another document", func(t *testing.T) { change(t, &s[4].Document.Index, 99) }},
		"a timestamp that is still owed":       {extended, "has no timestamp", func(t *testing.T) { change(t, &in.Extended, t.TempDir()) }},
		"an extended document of nobody":       {extended, "and no stamp is booked under it", func(t *testing.T) { stranger(t, in.Extended) }},
		"an extended document of another serial": {extended, "is another one", func(t *testing.T) {
			a, b := extendeds(t, in)
			rewrite(t, a, content(t, b))
		}},
		"an extended document without a timestamp": {extended, "it has no timestamp", func(t *testing.T) {
			a, _ := extendeds(t, in)
			n := filepath.Base(a)
			rewrite(t, a, content(t, filepath.Join(in.Outputs, n[3:5], n)))
		}},
		"a damaged extended document": {extended, "the extended document of serial", func(t *testing.T) {
			a, _ := extendeds(t, in)
			b := content(t, a)
			b[len(b)-2000] ^= 1 // in the timestamp
			rewrite(t, a, b)
		}},
	}
}

func content(t *testing.T, name string) []byte {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

// stranger puts a document of an unknown serial into a folder for the time of a test.
func stranger(t *testing.T, dir string) {
	scheme, err := serial.NewScheme('0', "ZY", [32]byte{9})
	require.NoError(t, err)
	n, err := scheme.Number(7)
	require.NoError(t, err)
	name := filepath.Join(dir, n.String())
	require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
	t.Cleanup(func() { require.NoError(t, os.Remove(name)) })
}

// extendeds are two extended documents.
func extendeds(t *testing.T, in *audit.Input) (a, b string) {
	names, err := filepath.Glob(filepath.Join(in.Extended, "0*"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(names), 2)
	return names[0], names[1]
}

// peopleFaults are answers that are not true, and manners that are not good.
func peopleFaults(in *audit.Input, s []*crowd.Want) map[string]fault {
	return map[string]fault{
		"an acknowledged stamp that the ledger lost": {promises, "and it is not in the ledger", func(t *testing.T) {
			without(t, in, func(e *serial.Entry) bool { return e.Number.String() == s[0].Serial })
		}},
		"an acknowledged stamp under another request": {promises, "and it belongs to", func(t *testing.T) { change(t, &s[5].Key, "another") }},
		"an acknowledged stamp with another document": {promises, "with another document", func(t *testing.T) { change(t, &s[5].Digest, [32]byte{1}) }},
		"an acknowledged stamp without a serial":      {promises, "with the serial", func(t *testing.T) { change(t, &s[5].Serial, "") }},
		"a stamp that is said to be void":             {promises, "was said to be void and is STAMPED", func(t *testing.T) { change(t, &s[5].Outcome, portal.Void) }},
		"a void stamp of somebody else": {promises, "and it belongs to", func(t *testing.T) {
			change(t, &s[5].Outcome, portal.Void)
			change(t, &s[5].Serial, s[6].Serial)
		}},
		"a unit that is said to be held and is not": {promises, "reserve of serial", func(t *testing.T) {
			w := done(t, in, portal.Reserve)
			without(t, in, func(e *serial.Entry) bool { return e.Number.String() == w.Serial })
		}},
		"a unit that was held and used": {promises, "was only held, and is STAMPED", func(t *testing.T) {
			change(t, &s[5].Op, portal.Reserve)
		}},
		"an account that was opened and is not there": {promises, "does not know the account", func(t *testing.T) {
			change(t, &one(t, in, func(w *crowd.Want) bool { return w.Op == portal.Register }).Account, "nobody")
		}},
		"an order without an account":         {promises, "does not know the account", func(t *testing.T) { change(t, &done(t, in, portal.Order).Account, "nobody") }},
		"a credit that the ledger lost":       {promises, "is 0 times in the ledger", func(t *testing.T) { dropped(t, in, serial.KindPurchase, done(t, in, portal.Credit)) }},
		"a refund that the ledger lost":       {promises, "is 0 times in the ledger", func(t *testing.T) { dropped(t, in, serial.KindRefund, done(t, in, portal.Refund)) }},
		"a transfer that did not arrive":      {promises, "is 0 times in the ledger", func(t *testing.T) { dropped(t, in, serial.KindTransferIn, done(t, in, portal.Transfer)) }},
		"a transfer that came from another":   {promises, "is 0 times in the ledger", func(t *testing.T) { change(t, &done(t, in, portal.Transfer).From, s[0].Account) }},
		"a transfer that came from nobody":    {promises, "the ledger does not know \"nobody\"", func(t *testing.T) { change(t, &done(t, in, portal.Transfer).From, "nobody") }},
		"a request without an answer":         {manners, "has no answer", func(t *testing.T) { change(t, &s[6].Outcome, portal.None) }},
		"a request that was refused for good": {manners, "was refused for good", func(t *testing.T) { change(t, &s[6].Outcome, portal.Wrong) }},
		"a call that ended without an answer": {manners, "ended without an answer", func(t *testing.T) { change(t, &s[6].Unanswered, 1) }},
		"a refusal that took its time":        {manners, "was refused after", func(t *testing.T) { change(t, &s[6].Refusal, 2*guard) }},
		"a refusal without a time to return":  {manners, "without a time to come back", func(t *testing.T) { change(t, &s[6].NoReturn, 1) }},
		"somebody who heard nothing":          {manners, "had no answer for", func(t *testing.T) { change(t, &s[6].Longest, 2*guard) }},
		"two answers to one request":          {manners, "was answered in two ways", func(t *testing.T) { change(t, &s[6].Contradicts, "done, then void") }},
	}
}

// servedFaults are people who did not get what they came for.
func servedFaults(in *audit.Input, s []*crowd.Want) map[string]fault {
	stayed := func(t *testing.T) *crowd.Want {
		return one(t, in, func(w *crowd.Want) bool {
			return w.Op == portal.Stamp && w.Outcome == portal.Done && slices.ContainsFunc(in.People, func(p load.Person) bool {
				return p.Account == w.Account && p.Leaving == load.Stays
			})
		})
	}
	return map[string]fault{
		"a document that was never stamped": {served, "was stamped 0 times", func(t *testing.T) { change(t, &stayed(t).Outcome, portal.None) }},
		"a document that was stamped twice": {served, "was stamped 2 times", func(t *testing.T) {
			change(t, &in.Wants, append(slices.Clone(in.Wants), stayed(t)))
		}},
		"a document that nobody brought": {served, "that they never brought", func(t *testing.T) { change(t, &stayed(t).Document.Size, 1) }},
		"somebody who got nothing": {served, "came to nothing", func(t *testing.T) {
			a := stayed(t).Account
			change(t, &in.Wants, slices.DeleteFunc(slices.Clone(in.Wants), func(w *crowd.Want) bool { return w.Account == a }))
		}},
		"somebody who waits for units": {served, "units and got 0", func(t *testing.T) { change(t, &done(t, in, portal.Credit).Outcome, portal.None) }},
		"somebody who was not paid back": {served, "was to be paid back 1 times and was 0 times", func(t *testing.T) {
			change(t, &done(t, in, portal.Refund).Outcome, portal.None)
		}},
		"somebody who was paid back for nothing": {served, "was to be paid back 0 times and was 1 times", func(t *testing.T) {
			w := done(t, in, portal.Refund)
			i := slices.IndexFunc(in.People, func(p load.Person) bool { return p.Account == w.Account })
			change(t, &in.People[i].Refund, false)
		}},
		"a unit that should be held": {served, "was to have 1 units held and had 0", func(t *testing.T) { change(t, &done(t, in, portal.Reserve).Op, portal.Order) }},
		"a unit that is left": {served, "units left instead of", func(t *testing.T) {
			w := stayed(t)
			without(t, in, func(e *serial.Entry) bool { return e.Number.String() == w.Serial })
		}},
		"the first document of somebody who left": {served, "document 1 was stamped 0 times", func(t *testing.T) {
			i := slices.IndexFunc(in.People, func(p load.Person) bool { return p.Leaving == load.Reserves })
			require.GreaterOrEqual(t, i, 0)
			change(t, &one(t, in, func(w *crowd.Want) bool { return w.Op == portal.Stamp && w.Account == in.People[i].Account }).Outcome, portal.None)
		}},
	}
}
