package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign"
)

// A patientKey answers when it may, and gives up when its context ends. It says when it
// is asked.
type patientKey struct {
	crypto.Signer
	asked func()
	may   chan struct{}
}

func (p patientKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	p.asked()
	select {
	case <-p.may:
		return p.Signer.Sign(rand.Reader, digest, opts)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A caller whose context ends does not wait for a key, that of the document or that of
// the seal.
func TestContextEndsTheWaitForTheKey(t *testing.T) {
	id := specimen(t).StampP256
	src := fileBytes(t, "linearized-streams.pdf")
	is := sign.Issue{Number: numberOf(t, 12)}
	may := make(chan struct{})
	for name, which := range map[string]func(cred *crypto.Signer, seal *crypto.Signer, asked func()){
		"document": func(key, _ *crypto.Signer, asked func()) { *key = patientKey{*key, asked, may} },
		"seal":     func(_, key *crypto.Signer, asked func()) { *key = patientKey{*key, asked, may} },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			asked := 0
			opt, key := stampOptions(t), id.Key
			which(&key, &opt.Stamp.Seal, func() { asked++; cancel() })
			_, err := open(t, src, opt).Sign(ctx, io.Discard, keyed(t, key), is)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, 1, asked)
		})
	}
	close(may)
	var out bytes.Buffer
	key := patientKey{id.Key, func() {}, may}
	_, err := open(t, src, stampOptions(t)).Sign(t.Context(), &out, keyed(t, key), is)
	require.NoError(t, err)
	require.Equal(t, 0, verified(t, out.Bytes()).ExitCode())
}
