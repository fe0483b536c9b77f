// Package examples holds programs that stand on the library: first, the shortest
// one; quickstart, the
// shortest way from a serial number to a verified stamped document; meterai, the
// command line; portal, a web application that sells and makes stamps; verifier,
// a page that verifies in the browser; verifyd, a verification service; surge, a
// deadline replayed; remotesign, csc and pdfsign, three ways to other signers.
// README.md has the guides. The package has no code of its own but the tests that
// keep the import rules of DESIGN.md and the README's claims.
package examples
