package cms_test

import (
	"cmp"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/sign/cms"
)

// wycheproof is the collection of vectors that crypto libraries fell for. It is
// fetched by the go command, as a module that nothing here imports.
const (
	wycheproof    = "github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a"
	wycheproofSum = "h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c="
)

// vectors is one file of them.
type vectors struct {
	Schema     string        `json:"schema"`
	TestGroups []vectorGroup `json:"testGroups"`
}

type vectorGroup struct {
	Type         string `json:"type"`
	PublicKeyDer string `json:"publicKeyDer"` // SubjectPublicKeyInfo
	PublicKeyASN string `json:"publicKeyAsn"` // of files with parameters: the same, with those of the key
	Sha          string `json:"sha"`
	MgfSha       string `json:"mgfSha"`
	SaltLen      int    `json:"sLen"`
	Tests        []struct {
		ID      int      `json:"tcId"`
		Comment string   `json:"comment"`
		Flags   []string `json:"flags"`
		Msg     string   `json:"msg"`
		Sig     string   `json:"sig"`
		Result  string   `json:"result"`
	} `json:"tests"`
}

// wycheproofDir gives the folder of the vectors.
func wycheproofDir(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", wycheproof)
	cmd.Dir = t.TempDir() // of no module, so that none is changed
	out, err := cmd.Output()
	var module struct{ Dir, Sum, Error string }
	if json.Unmarshal(out, &module) != nil || err != nil || module.Error != "" || module.Dir == "" {
		t.Skipf("%s cannot be had: no network? %v %s", wycheproof, err, module.Error)
	}
	require.Equal(t, wycheproofSum, module.Sum)
	return filepath.Join(module.Dir, "testvectors_v1")
}

// shaOf knows the names of hash functions: their identifiers, and what signs with
// them (the last arcs of ECDSA, plain ECDSA and PKCS #1 identifiers).
var shaOf = map[string]struct {
	hash                  crypto.Hash
	id, ecdsa, plain, rsa []byte
}{
	"SHA-1":       {crypto.SHA1, idSHA1, oid(1, 2, 840, 10045, 4, 1), oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 1), oid(1, 2, 840, 113549, 1, 1, 5)},
	"SHA-224":     {crypto.SHA224, tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 4)), oid(1, 2, 840, 10045, 4, 3, 1), oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 2), oid(1, 2, 840, 113549, 1, 1, 14)},
	"SHA-256":     {crypto.SHA256, idSHA256, oid(1, 2, 840, 10045, 4, 3, 2), oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 3), oid(1, 2, 840, 113549, 1, 1, 11)},
	"SHA-384":     {crypto.SHA384, idSHA384, oid(1, 2, 840, 10045, 4, 3, 3), oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 4), oid(1, 2, 840, 113549, 1, 1, 12)},
	"SHA-512":     {crypto.SHA512, idSHA512, oid(1, 2, 840, 10045, 4, 3, 4), oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 5), oid(1, 2, 840, 113549, 1, 1, 13)},
	"SHA-512/224": {crypto.SHA512_224, tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 5)), nil, nil, oid(1, 2, 840, 113549, 1, 1, 15)},
	"SHA-512/256": {crypto.SHA512_256, tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 6)), nil, nil, oid(1, 2, 840, 113549, 1, 1, 16)},
	"SHA3-224":    {crypto.SHA3_224, tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 7)), oid(2, 16, 840, 1, 101, 3, 4, 3, 9), oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 8), oid(2, 16, 840, 1, 101, 3, 4, 3, 13)},
	"SHA3-256":    {crypto.SHA3_256, tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 8)), oid(2, 16, 840, 1, 101, 3, 4, 3, 10), oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 9), oid(2, 16, 840, 1, 101, 3, 4, 3, 14)},
	"SHA3-384":    {crypto.SHA3_384, tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 9)), oid(2, 16, 840, 1, 101, 3, 4, 3, 11), oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 10), oid(2, 16, 840, 1, 101, 3, 4, 3, 15)},
	"SHA3-512":    {crypto.SHA3_512, tlv(0x30, oid(2, 16, 840, 1, 101, 3, 4, 2, 10)), oid(2, 16, 840, 1, 101, 3, 4, 3, 12), oid(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 11), oid(2, 16, 840, 1, 101, 3, 4, 3, 16)},
}

// vectorPSS is the AlgorithmIdentifier of RSA-PSS with the parameters of a group.
func vectorPSS(g *vectorGroup) []byte {
	mask := tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 8), shaOf[g.MgfSha].id)
	salt := []byte{2, 1, byte(g.SaltLen)}
	return tlv(0x30, oid(1, 2, 840, 113549, 1, 1, 10),
		tlv(0x30, tlv(0xa0, shaOf[g.Sha].id), tlv(0xa1, mask), tlv(0xa2, salt)))
}

// signatureID is the AlgorithmIdentifier that a group's signatures have in a
// SignerInfo; nil when there is none.
func signatureID(g *vectorGroup) []byte {
	sha := shaOf[g.Sha]
	switch {
	case strings.HasPrefix(g.Type, "RsassaPss") && shaOf[g.MgfSha].id != nil:
		return vectorPSS(g)
	case g.Type == "RsassaPkcs1Verify" && sha.rsa != nil:
		return tlv(0x30, sha.rsa, null)
	case g.Type == "EcdsaVerify" && sha.ecdsa != nil:
		return tlv(0x30, sha.ecdsa)
	case g.Type == "EcdsaP1363Verify" && sha.plain != nil:
		return tlv(0x30, sha.plain)
	}
	return nil
}

// wycheproofFiles are the files whose keys and hash functions are verified here,
// or refused as a matter of policy.
var wycheproofFiles = []string{
	"rsa_signature_*_test.json", "rsa_pss_*_test.json", "ecdsa_secp256r1_*_test.json", "ecdsa_secp384r1_*_test.json",
	"ecdsa_secp521r1_*_test.json", "ecdsa_secp224r1_*_test.json", "ecdsa_brainpoolP256r1_*_test.json",
	"ecdsa_brainpoolP384r1_*_test.json", "ecdsa_brainpoolP512r1_*_test.json", "ed25519_test.json", "ed448_test.json",
}

// TestWycheproof runs the vectors through a SignedData with each signature. What is
// invalid must be refused. What is valid must be accepted, with one exception: an
// RSA-PSS signature whose mask has another hash function than its message is
// refused as a matter of policy. What is merely acceptable (PKCS #1 without NULL
// parameters) is refused too. A quarter of the vectors is run, of the slow
// Brainpool curves a sixteenth; METERAI_WYCHEPROOF=all runs all 25,000.
func TestWycheproof(t *testing.T) {
	dir := wycheproofDir(t)
	var files []string
	for _, pattern := range wycheproofFiles {
		list, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, list, pattern)
		files = append(files, list...)
	}
	total := map[string]int{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), "_test.json"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			each := 4
			switch {
			case os.Getenv("METERAI_WYCHEPROOF") == "all":
				each = 1
			case strings.Contains(file, "brainpool"):
				each = 16
			}
			var v vectors
			require.NoError(t, json.Unmarshal(b, &v))
			for i := range v.TestGroups {
				runGroup(t, &v.TestGroups[i], each, total)
			}
		})
	}
	var lines []string
	for what, n := range total {
		lines = append(lines, fmt.Sprintf("%6d %s", n, what))
	}
	slices.SortFunc(lines, func(a, b string) int { return cmp.Compare(b, a) })
	t.Logf("\n%s", strings.Join(lines, "\n"))
	require.Greater(t, total["valid, accepted"], 1500)
	require.Greater(t, total["invalid, refused"], 3000)
}

// runGroup checks the signatures by one key, one of each so many.
func runGroup(t *testing.T, g *vectorGroup, each int, total map[string]int) {
	t.Helper()
	der := cmp.Or(g.PublicKeyDer, g.PublicKeyASN)
	spki, err := hex.DecodeString(der)
	require.NoError(t, err)
	cred := keyed(t, nil, spki)
	id := signatureID(g)
	for _, c := range g.Tests {
		if c.ID%each != 0 {
			continue
		}
		msg, err := hex.DecodeString(c.Msg)
		require.NoError(t, err)
		sig, err := hex.DecodeString(c.Sig)
		require.NoError(t, err)
		name := fmt.Sprintf("%d %s %v", c.ID, c.Comment, c.Flags)
		switch {
		case g.Type == "EddsaVerify":
			err = cms.VerifyMessage(cred.cert, msg, sig)
		case id == nil:
			total["not run, no identifier in CMS: "+g.Type+" with "+g.Sha+" "+g.MgfSha]++
			continue
		default:
			err = verifyVector(cred, g, id, msg, sig)
		}
		total[verdict(t, g, c.Result, err, name)]++
	}
}

// verdict holds an answer against what is expected, and names it.
func verdict(t *testing.T, g *vectorGroup, result string, err error, name string) string {
	t.Helper()
	switch {
	case result == "invalid":
		require.Error(t, err, name)
		return "invalid, refused"
	case result == "valid" && g.MgfSha != "" && g.MgfSha != g.Sha:
		requireReason(t, err, cms.ReasonInconsistent)
		return "valid, refused by policy: RSA-PSS with two hash functions"
	case result == "acceptable":
		require.Error(t, err, name)
		return "acceptable, refused"
	}
	require.NoError(t, err, name)
	return "valid, accepted"
}

// verifyVector puts a signature over a message into a SignedData without signed
// attributes and verifies it.
func verifyVector(cred *credential, g *vectorGroup, id, msg, sig []byte) error {
	sha := shaOf[g.Sha]
	s := spec{cred: cred, direct: true, hash: sha.hash, digestID: sha.id, sigID: id, signature: sig}
	sd, err := cms.Parse(s.build(), nil)
	if err != nil {
		return err
	}
	_, err = sd.Signers[0].VerifyWith(cred.cert, digestOf(sha.hash, msg), &cms.VerifyOptions{AcceptLegacy: true})
	return err
}
