// Package ltv gathers what a validation needs long after signing, when the services that answer today are gone: the
// certificates of the path, and an OCSP response (RFC 6960) or CRL (RFC 5280) for each of them. That is the validation
// data of PAdES level B-LT (ETSI EN 319 142-1, 5.4).
//
// Two calls do it:
//
//	collector, err := ltv.New(&ltv.Options{HTTP: httpClient})
//	data, err := collector.Collect(ctx, certificate, candidates)
//
// # What is accepted
//
// Only what a verifier will accept: an answer whose signature is checked against the issuer, or against a responder that
// the issuer itself has certified for it; that is current; and that says "good". A certificate that is revoked is a
// [*RevokedError], one about which nothing can be had a [*MissingError]: neither is passed over in silence.
//
// # Network
//
// The addresses come from the certificates, and these may come from a document of anybody's. Requests go through the
// client that the caller passes, whose transport says where they may go; only http and https are used, answers are
// bounded in size and time, and redirects go to http and https alone, at most three. Answers are kept until they are due
// for renewal, so that a thousand documents of one signer cost one request.
//
// # What is left out
//
// LDAP, indirect and delta CRLs, and any judgement of trust: paths are built, not validated.
package ltv
