package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// TestAffected is the day after an outage: who was harmed, compensation, and what the history says.
func TestAffected(t *testing.T) {
	dir, in := demo(t)
	long := time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339)
	ok(t, "credit", "--dir", dir, "--account", "ada", "--units", "5", "--key", "INV-7", "--paid", long)
	ok(t, "stamp", "--dir", dir, "--account", "ada", "--in", in, "--out", filepath.Join(t.TempDir(), "out.pdf"))
	payments := filepath.Join(t.TempDir(), "payments.csv")
	require.NoError(t, os.WriteFile(payments, []byte("\ufeffaccount,reference,units,paid\r\n"+
		"bob,INV-8,10,"+long+"\nme,invoice-1,10,"+time.Now().Format(time.RFC3339)+"\n"), 0o600))

	var list []serial.Harm
	d := json.NewDecoder(strings.NewReader(ok(t, "affected", "--dir", dir, "--payments", payments, "--json")))
	for d.More() {
		var h serial.Harm
		require.NoError(t, d.Decode(&h))
		list = append(list, h)
	}
	require.Len(t, list, 2)
	require.Equal(t, "ada", list[0].Account)
	require.Equal(t, int64(1), list[0].LateCredit)
	require.Zero(t, list[0].Owed)
	require.Equal(t, "bob", list[1].Account)
	require.Equal(t, int64(10), list[1].Owed)

	out := ok(t, "affected", "--dir", dir, "--payments", payments, "--cases")
	require.Contains(t, out, `payment "INV-8" of 10 units: not credited`)
	require.Contains(t, out, "2 accounts harmed, 10 units owed")
	require.Contains(t, ok(t, "affected", "--dir", dir, "--payments", payments, "--account", "bob"), "1 account harmed, 10 units owed")
	require.Contains(t, ok(t, "affected", "--dir", dir, "--to", "2024-09-03T08:00:00+07:00"), "0 accounts harmed")

	for range 2 {
		ok(t, "grant", "--dir", dir, "--account", "bob", "--units", "12", "--key", "outage-1", "--reason", "outage of today")
	}
	require.Contains(t, ok(t, "history", "--dir", dir, "--account", "bob"), `12 units granted, reference "outage-1": outage of today`)
	require.Equal(t, 1, strings.Count(ok(t, "history", "--dir", dir, "--account", "bob"), "\n"), "once")
}

func TestAffectedRefuses(t *testing.T) {
	dir, _ := demo(t)
	for _, args := range [][]string{{"--from", "yesterday"}, {"--to", "2024"}, {"--late", "0s"}, {"--late", "-1m"}} {
		code, _, _ := meterai(t, append([]string{"affected", "--dir", dir}, args...)...)
		require.Equal(t, 64, code, args)
	}
	for name, text := range map[string]string{
		"empty":     "",
		"no header": "bob,INV-8,10,2024-09-03T08:00:00Z\n",
		"units":     "account,reference,units,paid\nbob,INV-8,many,2024-09-03T08:00:00Z\n",
		"time":      "account,reference,units,paid\nbob,INV-8,10,then\n",
		"fields":    "account,reference,units,paid\nbob,INV-8,10\n",
	} {
		file := filepath.Join(t.TempDir(), "payments.csv")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		code, _, stderr := meterai(t, "affected", "--dir", dir, "--payments", file)
		require.Equal(t, 1, code, name)
		require.Contains(t, stderr, "payments.csv", name)
	}
	code, _, _ := meterai(t, "affected", "--dir", dir, "--payments", filepath.Join(dir, "none.csv"))
	require.Equal(t, 1, code)
}

func TestSweepCommand(t *testing.T) {
	dir, in := demo(t)
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", filepath.Join(t.TempDir(), "out.pdf"))
	l, err := home{dir}.openLedger(t.Context())
	require.NoError(t, err)
	_, err = l.Reserve(t.Context(), serial.Request{Account: "me", Key: []byte("k"), Length: 1})
	require.NoError(t, err)
	require.NoError(t, l.close())
	require.Equal(t, "0 stamped, 0 released, 0 void, 1 waiting\n", ok(t, "sweep", "--dir", dir))
	require.Equal(t, 8, available(t, dir))
	require.JSONEq(t, `{"stamped":0,"released":1,"void":0,"waiting":0,"failed":0}`, ok(t, "sweep", "--dir", dir, "--hold", "1us", "--json"))
	require.Equal(t, 9, available(t, dir))
	code, _, _ := meterai(t, "sweep", "--dir", dir, "--void", "0s")
	require.Equal(t, 64, code)
}

// TestCheckpoint: a machine that was rolled back as a whole, witness included, cannot notice by itself.
func TestCheckpoint(t *testing.T) {
	dir, in := demo(t)
	kept := filepath.Join(t.TempDir(), "elsewhere")
	old := make(map[string][]byte)
	for _, name := range []string{"ledger.db", "ledger.db.witness"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		old[name] = b
	}
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", filepath.Join(t.TempDir(), "out.pdf"))
	ok(t, "audit", "--dir", dir, "--write-checkpoint", kept)
	ok(t, "audit", "--dir", dir, "--checkpoint", kept, "--write-checkpoint", kept)
	ok(t, "credit", "--dir", dir, "--account", "me", "--units", "10", "--key", "invoice-2")
	require.Contains(t, ok(t, "audit", "--dir", dir, "--checkpoint", kept), "everything of the checkpoint is there")

	for name, b := range old {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	ok(t, "audit", "--dir", dir)
	code, out, stderr := meterai(t, "audit", "--dir", dir, "--checkpoint", kept)
	require.Equal(t, 1, code)
	require.Contains(t, out, "numbers may be issued twice")
	require.Contains(t, out, "the entry of the checkpoint is missing")
	require.Contains(t, stderr, "2 problems")

	require.NoError(t, os.WriteFile(kept, []byte("{}\n"), 0o600))
	code, _, stderr = meterai(t, "audit", "--dir", dir, "--checkpoint", kept)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "line 1")
}

// TestDistributor: units go from hand to hand, and back as money.
func TestDistributor(t *testing.T) {
	dir, _ := demo(t)
	for range 2 {
		require.Contains(t, ok(t, "transfer", "--dir", dir, "--from", "me", "--to", "ada", "--units", "4", "--key", "order-1"), `handed over from "me"; 6 available`)
	}
	require.Contains(t, ok(t, "refund", "--dir", dir, "--account", "ada", "--units", "1", "--key", "r-1", "--reason", "changed her mind"), `1 unit refunded from "ada"; 3 available`)
	require.Contains(t, ok(t, "history", "--dir", dir, "--account", "ada"), "changed her mind")
	code, _, stderr := meterai(t, "transfer", "--dir", dir, "--from", "me", "--to", "me", "--units", "1", "--key", "x")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "account itself")
	ok(t, "audit", "--dir", dir)
}

// TestBackupAndRestore: the way that backup --help tells.
func TestBackupAndRestore(t *testing.T) {
	dir, in := demo(t)
	copied := filepath.Join(t.TempDir(), "copy.db")
	ok(t, "backup", "--dir", dir, "--out", copied)
	code, _, _ := meterai(t, "backup", "--dir", dir, "--out", copied)
	require.Equal(t, exitFailed, code)
	stamp := []string{"stamp", "--dir", dir, "--account", "me", "--in", in, "--out", filepath.Join(t.TempDir(), "out.pdf")}
	ok(t, stamp...)
	ledger := filepath.Join(dir, "ledger.db")
	for _, end := range []string{"", "-wal", "-shm"} {
		require.NoError(t, os.RemoveAll(ledger+end))
	}
	require.NoError(t, os.Rename(copied, ledger))
	code, _, stderr := meterai(t, append(stamp, "--key", "2")...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "meterai fence --help")
	require.Contains(t, ok(t, "fence", "--dir", dir, "--counter", "100"), "numbers go on at counter ")
	ok(t, append(stamp, "--key", "2")...)
	ok(t, "audit", "--dir", dir)
}

// TestAuditOutputs: a kept stamp that was changed or lost is found.
func TestAuditOutputs(t *testing.T) {
	dir, in := demo(t)
	ok(t, "stamp", "--dir", dir, "--account", "me", "--in", in, "--out", filepath.Join(t.TempDir(), "out.pdf"))
	ok(t, "audit", "--dir", dir, "--outputs")
	kept, err := filepath.Glob(filepath.Join(dir, "stamps", "*", "0ZZ*"))
	require.NoError(t, err)
	require.Len(t, kept, 2, "the stamp and its claim")
	f, err := os.OpenFile(kept[0], os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("x")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	ok(t, "audit", "--dir", dir)
	code, out, stderr := meterai(t, "audit", "--dir", dir, "--outputs")
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "is not the one that was booked")
	require.Contains(t, stderr, "1 problem;")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "stamps")))
	code, _, _ = meterai(t, "audit", "--dir", dir, "--outputs")
	require.Equal(t, exitFailed, code)
}
