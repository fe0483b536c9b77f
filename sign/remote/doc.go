// Package remote signs with keys that live in a service: a key management system, a
// signing service after the API of the Cloud Signature Consortium, a network HSM
// behind somebody's daemon. It wraps whatever talks to the service, a plain
// crypto.Signer or better a [ContextSigner], and makes of one or several of them a
// signer that can be relied upon:
//
//	signer, err := remote.New([]remote.Endpoint{
//		{Name: "jakarta", Signer: a}, {Name: "surabaya", Signer: b},
//	}, &remote.Options{Public: cert.PublicKey})
//	credential, err := sign.NewCredential(cert, chain, signer, nil)
//
// A [Signer] is a crypto.Signer, a crypto.MessageSigner and a [ContextSigner]. Keys
// are RSA (PKCS #1 v1.5 and PSS), ECDSA and Ed25519; hashes are SHA-256, SHA-384 and
// SHA-512.
//
// # What is promised
//
// Every signature is checked with the public key before it is handed out. A wrong one
// is thrown away and counted, and its endpoint rests.
//
// An endpoint has at most [Endpoint.InFlight] operations at a time. Callers wait for
// their turn in the order in which they came, until their context ends. With several
// endpoints an operation goes to the one that is least busy.
//
// A try has a deadline, [Options.Timeout]. An operation that failed is tried again,
// first on another endpoint, at most [Options.Tries] times in all and only while the
// retry budget lasts: retries may be a share of the operations ([Options.RetryShare])
// and no more, so that a service in trouble is not given more work than usual. Tries
// on the same endpoint come after a pause that doubles and is random.
//
// An endpoint that fails three times in a row, or a third of the time for long, rests.
// Then one operation is its probe: if that succeeds the endpoint is in service again,
// else it rests for twice as long, up to 30 seconds. When all endpoints rest, callers
// wait if the next probe is due within [Options.Patience], and else get
// [ErrUnavailable] at once.
//
// A call of a plain crypto.Signer cannot be cancelled. When it takes longer than the
// deadline, its caller goes on without it; the call is counted as stuck, keeps its
// place, and an endpoint with [Options.MaxStuck] of them gets no new ones until one
// returns. A signature that arrives after its caller has left is counted as an orphan
// and never handed out. So, for each endpoint, [EndpointFigures] keep
// Operations = Signatures + Rejected + Orphans.
//
// To sign the same digest twice does no harm: no unit is consumed by a signature, and
// the ledger decides which result counts.
//
// # What an endpoint may say
//
// Every error of an endpoint counts against it and is tried again, but for two. One
// that is [ErrRefused] says that the service answered and will not sign this: nothing
// is tried again. A [*BusyError] says that there were too many operations: the
// endpoint gets fewer at a time, and rests for as long as it asked for.
//
// # What it leaves out
//
// It speaks no protocol of its own and makes no keys. It has no goroutines but those
// of calls under way.
package remote
