package main

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/seed-574216e4/meterai/sign/cms"
	"github.com/seed-574216e4/meterai/testdata/pki"
)

// Limits of the service. What it signs has less than 400 bytes with any certificate.
const (
	maxMessage  = 4 << 10 // bytes of signed attributes
	maxInFlight = 64      // signatures at a time
)

// A Server holds the key. It sees the signed attributes of a document, a few hundred
// bytes with its digest, and never the document.
//
//	GET  /v1/certificate   certificate and path in PEM, the leaf first
//	POST /v1/sign          body: signed attributes, DER; answer: signature
//
// It signs nothing but signed attributes as this library makes them for its own
// certificate. So who has stolen a token can have documents signed until it is
// changed, but not certificates, TLS sessions or anything else with the key.
type Server struct {
	template *cms.Template
	key      crypto.Signer
	chain    []byte // PEM
	token    [sha256.Size]byte
	places   chan struct{}
	log      *slog.Logger
	mux      http.ServeMux
}

// NewServer makes the service of a key. Callers show the token; it is kept as a hash
// only, and must have at least 32 bytes.
func NewServer(id pki.Identity, token string, log *slog.Logger) (*Server, error) {
	if len(token) < 32 {
		return nil, errors.New("the token is too short to be a secret")
	}
	alg, err := cms.AlgorithmFor(id.Cert.PublicKey)
	if err != nil {
		return nil, err
	}
	template, err := cms.NewTemplate(id.Cert, id.Chain, alg)
	if err != nil {
		return nil, err
	}
	if err := template.Owns(id.Key.Public()); err != nil {
		return nil, err
	}
	s := &Server{template: template, key: id.Key, token: sha256.Sum256([]byte(token)), places: make(chan struct{}, maxInFlight), log: log}
	for _, c := range append([]*x509.Certificate{id.Cert}, id.Chain...) {
		s.chain = append(s.chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	s.mux.HandleFunc("GET /v1/certificate", s.certificate)
	s.mux.HandleFunc("POST /v1/sign", s.sign)
	return s, nil
}

// ServeHTTP serves callers who show the token.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(shown))
	if subtle.ConstantTimeCompare(sum[:], s.token[:]) != 1 || !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "the token is missing or not known", http.StatusUnauthorized)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) certificate(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.chain)
}

func (s *Server) sign(w http.ResponseWriter, r *http.Request) {
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many signatures at a time", http.StatusServiceUnavailable)
		return
	}
	message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		http.Error(w, "the message is too large", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "the message could not be read", http.StatusBadRequest)
		return
	case !s.template.Made(message):
		http.Error(w, "the message is none for this certificate", http.StatusBadRequest)
		return
	}
	signature, err := s.template.Sign(s.key, message)
	if err == nil {
		err = s.template.Check(message, signature)
	}
	if err != nil {
		s.log.Error("signing failed", "error", err)
		http.Error(w, "the key does not answer", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(signature)
	s.log.Info("signed", "caller", r.RemoteAddr, "bytes", len(message))
}
