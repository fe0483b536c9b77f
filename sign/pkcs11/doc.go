// Package pkcs11 signs with keys that live in a PKCS #11 token (OASIS PKCS #11
// version 2.40 and 3.0): a hardware security module, a smart card or SoftHSM.
//
//	module, err := pkcs11.OpenModule("/usr/lib/softhsm/libsofthsm2.so", nil)
//	signer, err := module.Signer(ctx, &pkcs11.KeyConfig{
//		Tokens: []pkcs11.TokenConfig{{Label: "stamps"}},
//		Label:  "e-seal", Public: cert.PublicKey, PIN: askPIN,
//	})
//
// A [Signer] is a crypto.Signer and a crypto.MessageSigner, so it goes straight
// into a credential or beside a seal; [Signer.SignContext] is the same with a
// context. Keys are RSA (PKCS #1 v1.5 and PSS), ECDSA on P-256, P-384 and P-521,
// and Ed25519 where the token has it; hashes are SHA-256, SHA-384 and SHA-512.
//
// # What is promised
//
// Every signature is checked with the public key before it is handed out. A wrong
// one is thrown away and counted.
//
// A session is used by one operation at a time. A token has at most
// [Options.Sessions] of them for signing and one more that holds the login.
// Sessions that are lost are replaced, a login that is lost is made again, once for
// all who wait, and a key whose handle is lost is found again by its identifier,
// label and public key. Callers notice a delay and no error, unless four tries in a
// row fail.
//
// A PIN that the token refuses is never tried again by the same Signer's token: it
// would lock the token. Close the signers of the token and open them with another.
// The PIN comes from a callback at each login, is not kept and not logged; the
// bytes that the callback returns are overwritten, but the binding makes a copy
// that lives until the garbage collector and the C library reuse its memory.
//
// A token that fails as a device is taken out of service, all its sessions are
// closed, and it is opened again; when that does not help, the module is finalized
// and initialized, but never while a call is inside of it, and seldom while another
// token works. While a token is out of service, callers wait for a first repair;
// later they get [ErrUnavailable] at once until the next one is due, half a second
// after the last. So a token that returns signs within a second of it.
//
// A key that is gone, or has become another one, counts as a fault of the device: some
// libraries show a token that was taken away as an empty one. A token that is named by
// its label alone may be replaced by another with that label and the same key.
//
// With several tokens that hold the same key, an operation goes to the one with the
// fewest running, and to another one when that fails.
//
// A call into a module cannot be cancelled. When it takes longer than
// [Options.Timeout] its caller gets an error or another token; the call is counted
// as stuck, keeps its session, and a token with [Options.MaxStuck] of them gets no
// new ones. A signature that arrives after its caller has left is counted as an
// orphan and never handed out. So, for each token, [TokenFigures] keep
// Operations = Signatures + Rejected + Orphans.
//
// # One module in a process
//
// The state of a module belongs to the process: [OpenModule] refuses one that is
// initialized already, by whomever. All signers of a [Module] share its tokens. A
// second [Module.Signer] on a token that is logged in must bring the same PIN, which
// is compared without asking the token.
//
// # What it leaves out
//
// Making keys, storing certificates, encryption, and everything without cgo: there
// the package is empty.
package pkcs11
