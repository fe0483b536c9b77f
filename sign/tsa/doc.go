// Package tsa gets timestamp tokens from timestamp authorities over HTTP
// (RFC 3161 with RFC 5816; ETSI EN 319 422) and checks them before anybody builds
// on them.
//
// Two calls do it:
//
//	client, err := tsa.New(&tsa.Options{HTTP: httpClient, Servers: []tsa.Server{{URL: "https://tsa.example/"}}, Roots: roots})
//	token, err := client.Timestamp(ctx, crypto.SHA256, digest)
//
// A program that gets its tokens in another way implements [Timestamper]; [Failover]
// tries several of them in order, and [Parse] is the check that needs no request.
//
// # What a token must be
//
// DER or BER of a SignedData with one signer, whose certificate is inside, is
// named by ESS signing-certificate or signing-certificate-v2 and has
// id-kp-timeStamping as its only, critical extended key usage (RFC 3161, 2.3);
// signed with an algorithm that package cms relies on; over the imprint and with
// the nonce of the request; of the policy asked for; of a time that agrees with
// the local clock; without critical extensions; and with [Options.Roots] from a
// certificate that chains to one of them at that time. Revocation is not looked
// at: that is the verifier's matter, and of who collects validation data.
//
// # Errors
//
// Each is [ErrRetry], [ErrRefused] or [ErrToken]: the same request may succeed
// later; it never will; the authority answered with something else than a good
// token. When several servers failed, each in its way, the error is all that they
// were: ask for ErrRetry first. No error contains a password or what follows the
// path of a URL.
//
// # What is left out
//
// Other transports than HTTP, polling for a token that is "waiting", and retrying
// by itself: a request goes to each server at most once.
package tsa
