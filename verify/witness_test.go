package verify_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	digitorus "github.com/digitorus/pkcs7"
	"github.com/stretchr/testify/require"
	mozilla "go.mozilla.org/pkcs7"

	"github.com/seed-574216e4/meterai/pdf"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// witness asks two libraries that know nothing of us whether the first signature of
// a file verifies over its range; false also when they cannot read it. They know
// nothing of PDF: the range is taken as it stands.
func witness(doc []byte) (mozillaSays, digitorusSays bool) {
	var v [4]int
	at := bytes.LastIndex(doc, []byte("/ByteRange"))
	if at < 0 {
		return false, false
	}
	if _, err := fmt.Sscanf(string(doc[at+len("/ByteRange"):]), " [%d %d %d %d]", &v[0], &v[1], &v[2], &v[3]); err != nil {
		return false, false
	}
	if v[0] != 0 || v[1] < 0 || v[2] <= v[1]+2 || v[3] < 0 || v[2]+v[3] > len(doc) {
		return false, false
	}
	contents, err := hex.DecodeString(string(doc[v[1]+1 : v[2]-1]))
	if err != nil {
		return false, false
	}
	signed := append(bytes.Clone(doc[:v[1]]), doc[v[2]:v[2]+v[3]]...)
	if p, err := mozilla.Parse(contents); err == nil {
		p.Content = signed
		mozillaSays = p.Verify() == nil
	}
	if p, err := digitorus.Parse(contents); err == nil {
		p.Content = signed
		digitorusSays = p.Verify() == nil
	}
	return mozillaSays, digitorusSays
}

// TestWitnesses changes signed documents everywhere. Where both libraries refuse
// the signature we must not pass it; where both accept an unchanged document we
// must. Where we refuse what they accept, the change is one that they do not look
// at.
func TestWitnesses(t *testing.T) {
	w := newWorld(t)
	for name, id := range map[string]pki.Identity{"RSA": w.pki.StampRSA, "P-256": w.pki.StampP256} {
		t.Run(name, func(t *testing.T) {
			doc := w.sign(t, plain("agreement", 1, 0), job{id: id, edit: func(sig, _ pdf.Dict) { sig["Reason"] = pdf.String("agreed") }})
			a, b := witness(doc)
			require.True(t, a && b)
			require.Equal(t, verify.TotalPassed, check(t, doc, w.opt).Indication)
			count := map[string]int{}
			for pos := 0; pos < len(doc); pos += 1 + pos%29 {
				bad := bytes.Clone(doc)
				bad[pos] ^= 1 << (pos % 3)
				a, b := witness(bad)
				passed := check(t, bad, w.opt).Indication == verify.TotalPassed
				switch {
				case passed:
					require.True(t, a && b, "byte %d: we pass what %v %v", pos, a, b)
					require.True(t, harmless(bad, [][]byte{doc}), "byte %d", pos)
					count["all pass it"]++
				case a || b:
					count["only we refuse it"]++
				default:
					count["all refuse it"]++
				}
			}
			t.Log(count)
			require.Greater(t, count["all refuse it"], 200)
		})
	}
}
