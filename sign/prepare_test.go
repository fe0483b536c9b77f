package sign_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
	"github.com/seed-574216e4/meterai/sign/seal"
	"github.com/seed-574216e4/meterai/verify"
)

// Both keys are elsewhere: the seal's round trip comes first, then the
// signature's; the prepared document travels as JSON.
func TestRemoteKeys(t *testing.T) {
	p := specimen(t)
	src := fileBytes(t, "linearized-streams.pdf")
	key, err := seal.NewKey(p.SealP256.Public())
	require.NoError(t, err)
	opt := stampOptions(t)
	opt.Stamp.Seal, opt.Stamp.Key = nil, key
	remote, err := sign.NewCredential(p.StampP256.Cert, p.StampP256.Chain, nil, nil)
	require.NoError(t, err)

	doc := open(t, src, opt)
	is := sign.Issue{Number: numberOf(t, 12)}
	_, err = doc.Prepare(t.Context(), remote, is)
	require.ErrorIs(t, err, sign.ErrNoKey)

	s, err := doc.NewSeal(t.Context(), is)
	require.NoError(t, err)
	message, err := s.Message(key)
	require.NoError(t, err)
	signature, err := crypto.SignMessage(p.SealP256, rand.Reader, message, crypto.SHA256)
	require.NoError(t, err)
	is.Seal, err = s.Finish(key, signature)
	require.NoError(t, err)
	is.Time = s.Issued

	prepared, err := doc.Prepare(t.Context(), remote, is)
	require.NoError(t, err)
	state, err := json.Marshal(prepared)
	require.NoError(t, err)
	require.Less(t, len(state), 64<<10)

	var later sign.Prepared
	require.NoError(t, json.Unmarshal(state, &later))
	signature, err = p.StampP256.Key.Sign(rand.Reader, later.Digest(remote.Algorithm()), crypto.SHA256)
	require.NoError(t, err)
	var out bytes.Buffer
	res, err := later.Finish(t.Context(), &out, bytes.NewReader(src), int64(len(src)), remote, signature)
	require.NoError(t, err)
	require.Equal(t, int64(out.Len()), res.Length)
	update, again, err := later.FinishUpdate(t.Context(), bytes.NewReader(src), int64(len(src)), remote, signature, nil)
	require.NoError(t, err)
	require.Equal(t, out.Bytes()[len(src):], update)
	require.Equal(t, res, again)
	report := verified(t, out.Bytes())
	require.Equal(t, verify.TotalPassed, report.Indication, "%v", report)

	t.Run("a source that changed", func(t *testing.T) {
		other := bytes.Clone(src)
		other[len(other)/2] ^= 1
		_, err := later.Finish(t.Context(), io.Discard, bytes.NewReader(other), int64(len(other)), remote, signature)
		require.ErrorIs(t, err, sign.ErrChanged)
		_, _, err = later.FinishUpdate(t.Context(), bytes.NewReader(other), int64(len(other)), remote, signature, nil)
		require.ErrorIs(t, err, sign.ErrChanged)
		_, err = later.Finish(t.Context(), io.Discard, bytes.NewReader(src), int64(len(src))-1, remote, signature)
		require.ErrorIs(t, err, sign.ErrChanged)
	})
	t.Run("a wrong signature", func(t *testing.T) {
		bad := bytes.Clone(signature)
		bad[len(bad)-1] ^= 1
		_, err := later.Finish(t.Context(), io.Discard, bytes.NewReader(src), int64(len(src)), remote, bad)
		require.Error(t, err)
	})
	t.Run("another credential", func(t *testing.T) {
		_, err := later.Finish(t.Context(), io.Discard, bytes.NewReader(src), int64(len(src)), credential(t, p.StampRSA), signature)
		require.Error(t, err)
	})
	t.Run("a damaged state", func(t *testing.T) {
		for _, damage := range []func(*sign.Prepared){
			func(p *sign.Prepared) { p.Version++ },
			func(p *sign.Prepared) { p.Contents = -1 },
			func(p *sign.Prepared) { p.Contents = 1 << 62 },
			func(p *sign.Prepared) { p.Size = 1 << 62 },
			func(p *sign.Prepared) { p.Update = p.Update[:100] },
			func(p *sign.Prepared) { p.Attributes = p.Attributes[1:] },
			func(p *sign.Prepared) { p.Result.Length++ },
		} {
			bad := later
			damage(&bad)
			_, err := bad.Finish(t.Context(), io.Discard, bytes.NewReader(src), int64(len(src)), remote, signature)
			require.Error(t, err)
		}
	})
	t.Run("a changed update", func(t *testing.T) {
		for _, at := range []int{0, later.Contents - 1, later.Contents + later.Size, len(later.Update) - 1} {
			bad := later
			bad.Update = bytes.Clone(later.Update)
			bad.Update[at] ^= 1
			_, err := bad.Finish(t.Context(), io.Discard, bytes.NewReader(src), int64(len(src)), remote, signature)
			var changed *sign.PreparedError
			require.ErrorAs(t, err, &changed, "byte %d", at)
		}
	})
	t.Run("a seal of another issue", func(t *testing.T) {
		moved := is
		moved.Number = numberOf(t, 13)
		_, err := doc.Prepare(t.Context(), remote, moved)
		var bad *sign.StampError
		require.ErrorAs(t, err, &bad)
	})
}
