package pkiserver

import (
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"math/big"
	"net/http"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// Bits of PKIFailureInfo (RFC 3161, 2.4.2).
const (
	badAlgorithm        = 0
	badRequest          = 2
	badDataFormat       = 5
	unacceptedPolicy    = 15
	unacceptedExtension = 16
	systemFailure       = 25
)

const (
	granted   = 0
	rejection = 2
)

// query is a TimeStampReq (RFC 3161, 2.4.1).
type query struct {
	hash        asn1.ObjectIdentifier
	imprint     []byte
	policy      asn1.ObjectIdentifier // nil: any
	nonce       *big.Int              // nil: none
	certificate bool
}

func (s *Service) timestamp(body []byte, f *Fault) answer {
	if f.Reject != nil {
		return reply(f.Reject, nil)
	}
	q, rejected := readQuery(body)
	if rejected != nil {
		return reply(rejected, nil)
	}
	token, rejected := s.token(q, f)
	if rejected != nil {
		return reply(rejected, nil)
	}
	if f.Token != nil {
		token = f.Token(token)
	}
	return reply(&Rejection{Status: granted}, token)
}

// reply encodes a TimeStampResp (RFC 3161, 2.4.2).
func reply(info *Rejection, token []byte) answer {
	var b cryptobyte.Builder
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(int64(info.Status))
			if info.Text != "" {
				b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(tags.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(info.Text)) })
				})
			}
			if len(info.Failure) > 0 {
				b.AddASN1(tags.BIT_STRING, func(b *cryptobyte.Builder) { b.AddBytes(failureBits(info.Failure)) })
			}
		})
		b.AddBytes(token)
	})
	der, err := b.Bytes()
	if err != nil {
		return failed(http.StatusInternalServerError)
	}
	return answer{http.StatusOK, "application/timestamp-reply", der}
}

// failureBits are the contents of a BIT STRING of named bits, which in DER ends with
// its last bit that is set (X.690, 11.2.2).
func failureBits(bits []int) []byte {
	last := slices.Max(bits)
	out := make([]byte, 2+last/8)
	out[0] = byte(7 - last%8) // unused bits
	for _, bit := range bits {
		out[1+bit/8] |= 0x80 >> (bit % 8)
	}
	return out
}

func reject(bit int, text string) *Rejection {
	return &Rejection{Status: rejection, Failure: []int{bit}, Text: text}
}

func readQuery(body []byte) (*query, *Rejection) {
	in, q := cryptobyte.String(body), new(query)
	var seq, imprint, algorithm cryptobyte.String
	var version int64
	if !in.ReadASN1(&seq, tags.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(&version) || version != 1 ||
		!seq.ReadASN1(&imprint, tags.SEQUENCE) || !imprint.ReadASN1(&algorithm, tags.SEQUENCE) ||
		!algorithm.ReadASN1ObjectIdentifier(&q.hash) || !imprint.ReadASN1Bytes(&q.imprint, tags.OCTET_STRING) || !imprint.Empty() {
		return nil, reject(badRequest, "no TimeStampReq of version 1")
	}
	if seq.PeekASN1Tag(tags.OBJECT_IDENTIFIER) && !seq.ReadASN1ObjectIdentifier(&q.policy) {
		return nil, reject(badRequest, "reqPolicy cannot be read")
	}
	if seq.PeekASN1Tag(tags.INTEGER) {
		var contents cryptobyte.String
		if q.nonce = new(big.Int); !seq.ReadASN1Element(&contents, tags.INTEGER) || len(contents) > maxNonce+2 || !contents.ReadASN1Integer(q.nonce) {
			return nil, reject(badRequest, "nonce cannot be read")
		}
	}
	if seq.PeekASN1Tag(tags.BOOLEAN) && !seq.ReadASN1Boolean(&q.certificate) {
		return nil, reject(badRequest, "certReq cannot be read")
	}
	if seq.PeekASN1Tag(tags.Tag(0).ContextSpecific().Constructed()) {
		return nil, reject(unacceptedExtension, "extensions are not known here")
	}
	if !seq.Empty() {
		return nil, reject(badRequest, "more than a TimeStampReq")
	}
	return q, nil
}

func hashByID(id asn1.ObjectIdentifier) crypto.Hash {
	switch id.String() {
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512
	}
	return 0
}

// info is what a token shall say.
func (s *Service) info(q *query) (*cms.TimestampInfo, *Rejection) {
	hash, policy := hashByID(q.hash), s.opt.Policies[0]
	switch {
	case hash == 0:
		return nil, reject(badAlgorithm, "SHA-256, SHA-384 and SHA-512 are known here")
	case len(q.imprint) != hash.Size():
		return nil, reject(badDataFormat, "the imprint does not have the length of its hash")
	}
	if q.policy != nil {
		if policy = q.policy; !slices.ContainsFunc(s.opt.Policies, policy.Equal) {
			return nil, reject(unacceptedPolicy, "that policy is not offered")
		}
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, reject(systemFailure, "no randomness")
	}
	return &cms.TimestampInfo{
		Policy: policy, Hash: cms.Digest(hash), Imprint: q.imprint, Serial: serial,
		Time: s.opt.Now(), Accuracy: s.opt.Accuracy, Nonce: q.nonce,
	}, nil
}

// token signs.
func (s *Service) token(q *query, f *Fault) ([]byte, *Rejection) {
	info, rejected := s.info(q)
	if rejected != nil {
		return nil, rejected
	}
	if f.Info != nil {
		f.Info(info)
	}
	signer := &s.pki.TSA
	if f.Signer != nil {
		signer = f.Signer
	}
	der, err := Token(signer, info, q.certificate && !f.NoCertificate)
	if err != nil {
		return nil, reject(systemFailure, err.Error())
	}
	return der, nil
}

// Token signs info with an identity and returns the timestamp token, a DER
// ContentInfo (RFC 3161, 2.4.2), with the certificates of its path or without any.
func Token(signer *pki.Identity, info *cms.TimestampInfo, certificates bool) ([]byte, error) {
	content, err := cms.MarshalTimestampInfo(info)
	if err != nil {
		return nil, err
	}
	algorithm, err := cms.AlgorithmFor(signer.Cert.PublicKey)
	if err != nil {
		return nil, err
	}
	t, err := cms.NewTemplateOf(cms.TSTInfo(), signer.Cert, signer.Chain, algorithm)
	if err != nil {
		return nil, err
	}
	if !certificates {
		t = t.WithoutCertificates()
	}
	h := algorithm.Hash().New()
	h.Write(content)
	attrs := t.SignedAttributes(h.Sum(nil))
	signature, err := t.Sign(signer.Key, attrs)
	if err != nil {
		return nil, err
	}
	return t.FinishAttached(content, attrs, signature)
}
