// Package pkiserver is the HTTP service of a specimen PKI (package pki): timestamp
// authority (RFC 3161), OCSP responder (RFC 6960), CRLs and issuers' certificates. It
// is for tests and for trying things out. What it signs is SPECIMEN, its time is
// whatever the machine's clock says, and it must never be trusted in production.
//
// A test starts it, with a PKI whose certificates name its addresses:
//
//	srv, err := pkiserver.Start(nil, nil)
//	defer srv.Close()
//	... srv.URL+"/tsa", srv.PKI.Roots() ...
//
// A program that has a listener and a PKI of its own calls [New] and [Service.Serve].
//
// # Addresses
//
//	POST /tsa                          timestamps; SHA-256, SHA-384 and SHA-512
//	POST /ocsp, GET /ocsp/BASE64       status of what the issuing authority issued
//	GET /root.crl, /issuing.crl        current CRLs, DER
//	GET /root.crt, /issuing.crt        the authorities' certificates, DER
//
// # Faults
//
// [Service.SetFault] makes an address misbehave: answer late, never, slowly, with too
// much, with garbage, with a status, with a token that is wrong in any way.
//
// # What it leaves out
//
// OCSP answers one certificate a request and repeats no nonce, as many responders
// that sign ahead. There is no access control; the command line listens where it is
// told to.
package pkiserver
