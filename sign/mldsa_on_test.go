//go:build go1.27

package sign_test

import (
	"bytes"
	"crypto"
	"crypto/mldsa"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/testdata/pki"
	"github.com/seed-574216e4/meterai/verify"
)

// A document is stamped with ML-DSA and verifies; prepared, it is signed elsewhere.
func TestMLDSA(t *testing.T) {
	src := fileBytes(t, "classic.pdf")
	for i, params := range []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()} {
		t.Run(params.String(), func(t *testing.T) {
			key, err := mldsa.GenerateKey(params)
			require.NoError(t, err)
			id, err := specimen(t).Issue(&pki.Request{CommonName: params.String(), Signer: key})
			require.NoError(t, err)
			cred := credential(t, id)
			require.Equal(t, params.String(), cred.Algorithm().String())
			opt := stampOptions(t)
			opt.Certify = &sign.Certification{}
			is := sign.Issue{Number: numberOf(t, uint64(70+i))}
			var out bytes.Buffer
			_, err = open(t, src, opt).Sign(t.Context(), &out, cred, is)
			require.NoError(t, err)
			r := verified(t, out.Bytes())
			require.Equal(t, verify.TotalPassed, r.Indication, r.Text())
			require.Equal(t, params.String(), r.Signatures[0].Algorithm)
			require.Equal(t, "B-B", r.Signatures[0].Level)
			bad := bytes.Clone(out.Bytes())
			bad[bytes.Index(bad, []byte("Helvetica"))] = 'X'
			require.Equal(t, verify.TotalFailed, verified(t, bad).Indication)

			prepared, err := open(t, src, opt).Prepare(t.Context(), cred, is)
			require.NoError(t, err)
			signature, err := key.Sign(nil, prepared.Message(), crypto.Hash(0))
			require.NoError(t, err)
			out.Reset()
			_, err = prepared.Finish(t.Context(), &out, bytes.NewReader(src), int64(len(src)), cred, signature)
			require.NoError(t, err)
			require.Equal(t, verify.TotalPassed, verified(t, out.Bytes()).Indication)
		})
	}
}
