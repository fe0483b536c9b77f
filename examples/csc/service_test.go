package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/testdata/pki"
)

const (
	testToken = "access-token-1"
	testPIN   = "4711"
)

// A service is one after version 2 of the API, with faults on request. It is written
// from the standard's tables and knows nothing of the client.
type service struct {
	t   testing.TB
	ids map[string]pki.Identity
	raw bool // ECDSA signatures as r || s

	mu     sync.Mutex
	pinned map[string]string                                                         // SAD -> credential and hash
	calls  map[string]int                                                            // by method
	fault  func(w http.ResponseWriter, r *http.Request, method string, nth int) bool // true: answered
}

func newService(t testing.TB) (*service, *httptest.Server) {
	t.Helper()
	p, err := pki.New(nil)
	require.NoError(t, err)
	s := &service{t: t, ids: map[string]pki.Identity{"rsa": p.StampRSA, "p256": p.StampP256},
		pinned: make(map[string]string), calls: make(map[string]int)}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, srv
}

func (s *service) breaks(fault func(w http.ResponseWriter, r *http.Request, method string, nth int) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.calls = fault, make(map[string]int)
}

func (s *service) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := strings.TrimPrefix(r.URL.Path, "/csc/v2/")
	s.mu.Lock()
	s.calls[method]++
	nth, fault := s.calls[method], s.fault
	s.mu.Unlock()
	if fault != nil && fault(w, r, method, nth) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+testToken || r.Method != http.MethodPost {
		refuse(w, http.StatusUnauthorized, "invalid_token", "the token is not known")
		return
	}
	var in map[string]any
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "no JSON")
		return
	}
	switch method {
	case "info":
		answer(w, map[string]any{"specs": "2.0.0.2", "name": "a test", "methods": []string{"credentials/list"}})
	case "credentials/list":
		s.list(w, in)
	case "credentials/info":
		s.credential(w, in)
	case "credentials/authorize":
		s.authorize(w, in)
	case "signatures/signHash":
		s.signHash(w, in)
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, name, description string) {
	w.WriteHeader(code)
	answer(w, map[string]string{"error": name, "error_description": description})
}

func (s *service) list(w http.ResponseWriter, in map[string]any) {
	if in["pageToken"] == nil {
		answer(w, map[string]any{"credentialIDs": []string{"p256"}, "nextPageToken": "2"})
		return
	}
	answer(w, map[string]any{"credentialIDs": []string{"rsa"}})
}

func (s *service) credential(w http.ResponseWriter, in map[string]any) {
	id, ok := s.ids[text(in["credentialID"])]
	if !ok {
		refuse(w, http.StatusBadRequest, "invalid_request", "Invalid parameter credentialID")
		return
	}
	certs := []string{base64.StdEncoding.EncodeToString(id.Cert.Raw)}
	for _, c := range id.Chain {
		certs = append(certs, base64.StdEncoding.EncodeToString(c.Raw))
	}
	algo := []string{"1.2.840.10045.2.1"}
	if _, ok := id.Cert.PublicKey.(*rsa.PublicKey); ok {
		algo = []string{"1.2.840.113549.1.1.1"}
	}
	answer(w, map[string]any{
		"key":  map[string]any{"status": "enabled", "algo": algo, "len": 256},
		"cert": map[string]any{"status": "valid", "certificates": certs},
		"auth": map[string]any{"mode": "explicit", "expression": "PIN"}, "SCAL": "2", "multisign": 1,
	})
}

func (s *service) authorize(w http.ResponseWriter, in map[string]any) {
	hashes, _ := in["hashes"].([]any)
	pin := ""
	if data, _ := in["authData"].([]any); len(data) == 1 {
		pin = text(data[0].(map[string]any)["value"])
	}
	switch {
	case pin != testPIN:
		refuse(w, http.StatusBadRequest, "invalid_pin", "The PIN is invalid")
	case len(hashes) != 1 || in["numSignatures"] != 1.0 || in["hashAlgorithmOID"] == nil:
		refuse(w, http.StatusBadRequest, "invalid_request", "hashes")
	default:
		sum := sha256.Sum256([]byte(rand.Text()))
		sad := hex.EncodeToString(sum[:])
		s.mu.Lock()
		s.pinned[sad] = text(in["credentialID"]) + " " + text(hashes[0])
		s.mu.Unlock()
		answer(w, map[string]any{"SAD": sad, "expiresIn": 300})
	}
}

func (s *service) signHash(w http.ResponseWriter, in map[string]any) {
	hashes, _ := in["hashes"].([]any)
	sad := text(in["SAD"])
	s.mu.Lock()
	pinned, ok := s.pinned[sad]
	delete(s.pinned, sad) // for one use
	s.mu.Unlock()
	if !ok || len(hashes) != 1 || pinned != text(in["credentialID"])+" "+text(hashes[0]) {
		refuse(w, http.StatusBadRequest, "invalid_sad", "Invalid parameter SAD")
		return
	}
	digest, err := base64.StdEncoding.DecodeString(text(hashes[0]))
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "hash")
		return
	}
	sig, err := s.sign(s.ids[text(in["credentialID"])], digest, in)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	answer(w, map[string]any{"signatures": []string{base64.StdEncoding.EncodeToString(sig)}})
}

func (s *service) sign(id pki.Identity, digest []byte, in map[string]any) ([]byte, error) {
	hash := map[int]crypto.Hash{32: crypto.SHA256, 48: crypto.SHA384, 64: crypto.SHA512}[len(digest)]
	switch key := id.Key.(type) {
	case *rsa.PrivateKey:
		if in["signAlgo"] == "1.2.840.113549.1.1.10" {
			return key.Sign(rand.Reader, digest, &rsa.PSSOptions{Hash: hash, SaltLength: saltOf(s.t, text(in["signAlgoParams"]))})
		}
		return key.Sign(rand.Reader, digest, hash)
	case *ecdsa.PrivateKey:
		if !s.raw {
			return key.Sign(rand.Reader, digest, hash)
		}
		a, b, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			return nil, err
		}
		return append(a.FillBytes(make([]byte, 32)), b.FillBytes(make([]byte, 32))...), nil
	}
	return nil, x509.ErrUnsupportedAlgorithm
}

// saltOf reads the salt's length from RSASSA-PSS-params.
func saltOf(t testing.TB, params string) int {
	der, err := base64.StdEncoding.DecodeString(params)
	if err != nil {
		t.Errorf("parameters of PSS: %v", err)
		return -1
	}
	var is struct {
		Hash asn1.RawValue `asn1:"explicit,tag:0"`
		MGF  asn1.RawValue `asn1:"explicit,tag:1"`
		Salt *big.Int      `asn1:"explicit,tag:2"`
	}
	if rest, err := asn1.Unmarshal(der, &is); err != nil || len(rest) > 0 {
		t.Errorf("parameters of PSS: %v", err)
		return -1
	}
	return int(is.Salt.Int64())
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
