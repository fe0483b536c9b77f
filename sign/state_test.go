package sign_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/verify"
)

// preparedState is a prepared stamp, what it was prepared of and for.
func preparedState(t testing.TB) (*sign.Prepared, []byte, *sign.Credential) {
	t.Helper()
	src := fileBytes(t, "linearized-streams.pdf")
	id := specimen(t).StampP256
	cred, err := sign.NewCredential(id.Cert, id.Chain, nil, nil)
	require.NoError(t, err)
	p, err := open(t, src, stampOptions(t)).Prepare(t.Context(), cred, sign.Issue{Number: numberOf(t, 12)})
	require.NoError(t, err)
	return p, src, cred
}

func stateOf(t testing.TB, p *sign.Prepared) []byte {
	t.Helper()
	b, err := p.MarshalBinary()
	require.NoError(t, err)
	return b
}

func TestStateFile(t *testing.T) {
	p, src, cred := preparedState(t)
	var file bytes.Buffer
	n, err := p.WriteTo(&file)
	require.NoError(t, err)
	require.Equal(t, int64(file.Len()), n)
	require.Less(t, file.Len(), 64<<10)
	require.NotContains(t, file.String(), string(src[len(src)/2:len(src)/2+64]))

	later, err := sign.ReadPrepared(bytes.NewReader(file.Bytes()))
	require.NoError(t, err)
	require.Equal(t, p, later)
	signature, err := specimen(t).StampP256.Key.Sign(rand.Reader, later.Digest(cred.Algorithm()), crypto.SHA256)
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = later.Finish(t.Context(), &out, bytes.NewReader(src), int64(len(src)), cred, signature)
	require.NoError(t, err)
	require.Equal(t, verify.TotalPassed, verified(t, out.Bytes()).Indication)

	// Without a stamp, invisible.
	bare, err := open(t, src, nil).Prepare(t.Context(), cred, sign.Issue{})
	require.NoError(t, err)
	again, err := sign.ReadPrepared(bytes.NewReader(stateOf(t, bare)))
	require.NoError(t, err)
	require.Equal(t, bare, again)
}

// A field that is added to Prepared or to Result has to find its way into the file.
func TestStateFileHasEveryField(t *testing.T) {
	p, _, _ := preparedState(t)
	p.Room = 1
	again, err := sign.ReadPrepared(bytes.NewReader(stateOf(t, p)))
	require.NoError(t, err)
	after := map[string]bool{"Timestamp": true, "TimestampOwed": true} // known when it is finished
	for _, v := range []reflect.Value{reflect.ValueOf(*again), reflect.ValueOf(again.Result)} {
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			require.NotEqual(t, after[name], !v.Field(i).IsZero(), name)
		}
	}
}

func TestStateFileRefused(t *testing.T) {
	p, _, _ := preparedState(t)
	good := stateOf(t, p)
	var refused *sign.PreparedError
	for n := range len(good) {
		_, err := sign.ReadPrepared(bytes.NewReader(good[:n]))
		require.ErrorAs(t, err, &refused, "the first %d bytes", n)
	}
	for i := 0; i < len(good); i += 1 + i/200 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		_, err := sign.ReadPrepared(bytes.NewReader(bad))
		require.ErrorAs(t, err, &refused, "byte %d", i)
	}
	_, err := sign.ReadPrepared(bytes.NewReader(append(bytes.Clone(good), 0)))
	require.ErrorAs(t, err, &refused)
	_, err = sign.ReadPrepared(io.LimitReader(endless{}, 1<<40))
	require.ErrorAs(t, err, &refused)

	// The same with a digest that fits, as somebody would write it on purpose.
	for name, at := range map[string]struct {
		offset int
		bytes  []byte
	}{
		"version": {16, []byte{9}}, "time": {89, bytes.Repeat([]byte{255}, 8)}, "length": {81, bytes.Repeat([]byte{255}, 8)},
		"number": {97, bytes.Repeat([]byte{1}, 14)}, "no number": {97, make([]byte, 14)}, "page": {111, []byte{255, 255, 255, 255}},
		"no page": {111, make([]byte, 4)}, "rectangle": {115, bytes.Repeat([]byte{255}, 8)},
		"contents": {147, []byte{0, 0, 0, 1}}, "far contents": {147, []byte{127, 255, 255, 255}},
		"size": {151, []byte{127, 255, 255, 255}}, "room": {155, []byte{127, 255, 255, 255}}, "name": {159, []byte{127, 255, 255, 255}},
	} {
		_, err := sign.ReadPrepared(bytes.NewReader(forged(good, at.offset, at.bytes)))
		require.ErrorAs(t, err, &refused, name)
	}

	for name, change := range map[string]func(*sign.Prepared){
		"finished": func(p *sign.Prepared) { p.Result.TimestampOwed = "later" },
		"contents": func(p *sign.Prepared) { p.Contents++ },
		"seal":     func(p *sign.Prepared) { p.Result.Seal = nil },
		"version":  func(p *sign.Prepared) { p.Version = 7 },
		"name":     func(p *sign.Prepared) { p.Result.Field = "\xff" },
	} {
		bad := *p
		change(&bad)
		_, err := bad.MarshalBinary()
		require.ErrorAs(t, err, &refused, name)
		text, err := json.Marshal(&bad)
		require.NoError(t, err)
		if name != "name" { // which JSON repairs
			require.ErrorAs(t, new(sign.Prepared).UnmarshalBinary(text), &refused, name)
		}
	}
}

// forged changes bytes and makes the digest fit.
func forged(good []byte, offset int, change []byte) []byte {
	bad := bytes.Clone(good[:len(good)-sha256.Size])
	copy(bad[offset:], change)
	sum := sha256.Sum256(bad)
	return append(bad, sum[:]...)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A file that somebody changed on purpose does not become a document.
func TestStateFileForged(t *testing.T) {
	p, src, cred := preparedState(t)
	good := stateOf(t, p)
	signature, err := specimen(t).StampP256.Key.Sign(rand.Reader, p.Digest(cred.Algorithm()), crypto.SHA256)
	require.NoError(t, err)
	update := len(good) - sha256.Size - len(p.Update)
	for name, at := range map[string]int{"certificate": 17, "source": 49, "length": 88, "attributes": 159 + 4 + len(p.Result.Field) + 4 + 50, "update": update + 10} {
		b := good[at]
		later, err := sign.ReadPrepared(bytes.NewReader(forged(good, at, []byte{b ^ 1})))
		if err != nil {
			continue // refused even earlier
		}
		_, err = later.Finish(t.Context(), io.Discard, bytes.NewReader(src), int64(len(src)), cred, signature)
		require.Error(t, err, name)
	}
}

const (
	keptStates   = "testdata/prepared"
	updateStates = "METERAI_UPDATE_STATES"
)

// Files that earlier versions wrote are read and finished. They were made with
// METERAI_UPDATE_STATES=1, of a key that is gone: signature.der is over both.
func TestStateFilesOfOldVersions(t *testing.T) {
	if os.Getenv(updateStates) != "" {
		writeKeptStates(t)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(keptStates, name))
		require.NoError(t, err)
		return b
	}
	block, _ := pem.Decode(read("certificate.pem"))
	require.NotNil(t, block)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	cred, err := sign.NewCredential(cert, nil, nil, nil)
	require.NoError(t, err)
	src, signature := read("source.pdf"), read("signature.der")
	var both [2][]byte
	for i, name := range []string{"v1.json", "v2.prepared"} {
		p, err := sign.ReadPrepared(bytes.NewReader(read(name)))
		require.NoError(t, err, name)
		var out bytes.Buffer
		_, err = p.Finish(t.Context(), &out, bytes.NewReader(src), int64(len(src)), cred, signature)
		require.NoError(t, err, name)
		report, err := verify.Document(t.Context(), bytes.NewReader(out.Bytes()), int64(out.Len()), &verify.Options{IntegrityOnly: true})
		require.NoError(t, err)
		require.Equal(t, 0, report.ExitCode(), "%s: %v", name, report)
		both[i] = out.Bytes()
	}
	require.Equal(t, both[0], both[1])
}

func writeKeptStates(t *testing.T) {
	p := specimen(t)
	id := p.StampP256
	src := tinyPDF("", "", "")
	cred, err := sign.NewCredential(id.Cert, nil, nil, nil)
	require.NoError(t, err)
	prepared, err := open(t, src, stampOptions(t)).Prepare(t.Context(), cred, sign.Issue{Number: numberOf(t, 12)})
	require.NoError(t, err)
	text, err := json.Marshal(prepared)
	require.NoError(t, err)
	signature, err := id.Key.Sign(rand.Reader, prepared.Digest(cred.Algorithm()), crypto.SHA256)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(keptStates, 0o755))
	for name, b := range map[string][]byte{
		"source.pdf": src, "v1.json": text, "v2.prepared": stateOf(t, prepared), "signature.der": signature,
		"certificate.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.Cert.Raw}),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(keptStates, name), b, 0o644))
	}
}

// FuzzReadPrepared: whatever is read is written as it was, or is version 1; nothing
// panics. The digest is made to fit, or the fuzzer would never get past it.
func FuzzReadPrepared(f *testing.F) {
	p, src, cred := preparedState(f)
	bare, err := open(f, src, nil).Prepare(f.Context(), cred, sign.Issue{}) // a small one, to be changed a lot
	require.NoError(f, err)
	good := stateOf(f, bare)
	text, err := json.Marshal(bare)
	require.NoError(f, err)
	seeds := [][]byte{stateOf(f, p), good, text, good[:100], nil, []byte("{}")}
	for at := 16; at < 200; at += 7 {
		seeds = append(seeds, forged(good, at, []byte{0xff}))
	}
	require.NotEmpty(f, seeds)
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > sha256.Size && !bytes.HasPrefix(b, []byte("{")) {
			b = forged(b, 0, nil)
		}
		p, err := sign.ReadPrepared(bytes.NewReader(b))
		if err != nil {
			var refused *sign.PreparedError
			require.ErrorAs(t, err, &refused)
			return
		}
		again, err := p.MarshalBinary()
		require.NoError(t, err)
		if b[0] != '{' {
			require.Equal(t, b, again)
		}
		require.Equal(t, uint64(p.Result.SourceLength), binary.BigEndian.Uint64(again[81:]))
		_, err = p.Finish(t.Context(), io.Discard, bytes.NewReader(src), int64(len(src)), cred, nil)
		require.Error(t, err)
	})
}
