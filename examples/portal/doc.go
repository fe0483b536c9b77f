// Command portal is a small web application over the library: sign in, buy
// units, upload a PDF, drag the stamp to its place, stamp, download, and ask
// where each unit is. It is made to be copied from.
//
//	go run ./examples/portal                      # embedded ledger and a specimen PKI in a folder
//	go run ./examples/portal --config portal.json # PostgreSQL, keys in a PKCS#11 token: see config
//
// # What to look at
//
// The rules that keep people from losing a paid unit are few:
//
//   - Whatever can be refused is refused when the document is uploaded
//     (upload.go), before there is anything to pay with.
//   - The key of a stamping is made with the document and stands in its record
//     and in the form. A double press, a reload, a second tab, a retry after an
//     error and a restart of the portal all come with that key, so the ledger
//     gives the same serial and takes no second unit (stamp.go). The place of
//     the first press is kept beside it, since the key stands for it as well.
//   - Another key is made only when the ledger says that the unit is back.
//   - Admission comes before the ledger: who finds the queue full is told when
//     to come again, and nothing was taken (work.go).
//   - A payment is credited under the reference that the provider gave it, so
//     callbacks may come late, twice or after the buyer gave up (buy.go).
//   - What the pages say about a unit is what the ledger says (history.go).
//
// A document belongs to the account that uploaded it by the path under which
// it lies, so no check can be forgotten (documents.go). A stamp belongs to the
// account in the ledger.
//
// # What is left out
//
// The payment provider is simulated (provider.go), names and passphrases are
// the simplest sign-in that is not careless, and sessions end with the process.
// Anybody may register. So one person with many accounts can fill the room for
// uploads, and whoever guesses at a name keeps its owner from signing in for a
// minute: a real portal ties accounts to something that costs.
// The portal's own records are files; several portals need one shared folder,
// or a database of their own, for them, and a sink that all of them reach.
// Payments that never got a callback are found by comparing with the
// provider's list: serial.Ledger.Affected.
package main
