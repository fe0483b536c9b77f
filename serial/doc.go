// Package serial issues electronic-stamp numbers and keeps the ledger of paid units: every unit is used exactly once,
// through retries, crashes and restarts.
//
// A [Number] has 22 characters: a key epoch, the issuer, an enciphered counter (FF1, NIST SP 800-38G) and a
// Reed-Solomon check code. Anyone can check its form with [Parse]; only the holder of the key can tell with
// [Scheme.Genuine] whether it can have been issued.
//
// The two calls to make are [Open], which binds a [Ledger] to a [Store] (package serial/sqlite has the embedded one), and
// [Ledger.Redeem], which takes a unit, gives it a number, runs the work, keeps the output and books the unit as used:
//
//	ledger, err := serial.Open(ctx, store, &serial.Options{Scheme: scheme, Sink: sink})
//	...
//	receipt, err := ledger.Redeem(ctx, request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
//		return stamp(ctx, w, r.Number, r.Time)
//	})
//
// # Exactly once
//
// Each request carries a key chosen by the caller. The scope of a key is the account and the operation. The same key
// with the same request gets the stored answer, for as long as the ledger exists; the same key with another request is
// a [*ConflictError] that names the field. What is refused for lack of units, for the clock, or because the ledger is
// closed or the store is down leaves no trace under the key: the same request may succeed later. A released
// reservation frees its key for a new attempt; a void one does not.
//
//	RESERVED -> SIGNING -> STAMPED
//	RESERVED -> RELEASED             nothing was signed, the unit is back
//	SIGNING  -> VOID                 the serial is published as void, the unit is back
//
// After the intent to sign ([Ledger.Signing]) is recorded nothing is released silently. When the work of a Redeem
// fails, its reservation stays SIGNING: calling again with the same key resumes with the same number and the same time,
// and [Ledger.Void] gives the attempt up. Nobody keeps both a good stamp and the unit.
//
// An error that is [ErrUnknownOutcome] says that the operation may have been done. Ask with [Ledger.Lookup] or
// [Ledger.LookupKey], or repeat the operation with the same key.
//
// # Durability
//
// An operation is answered when the store has made it durable. Concurrent callers share one transaction (group commit),
// decided one after the other, so that one caller's refusal does not harm the others.
//
// An output is kept with a claim, which names the reservation that it was made for ([ClaimSink]). A ledger that was lost
// and made anew beside the outputs of the old one issues the same numbers: it meets the claims, refuses with a
// [*ForeignOutputError] before anything is signed, and issues no more until it is fenced.
//
// # The clock
//
// Within an account time never goes back. A small step back of the clock is bridged, a larger one stops the operations
// that make entries, with a [*ClockError], and no reading. If the clock was ahead for a while and is right now, [Fence]
// with the right time lets the accounts go on: each that was ahead gets an entry which says so.
//
// # Operating
//
// A program that redeems should also sweep ([Ledger.SweepEvery]): what nobody finishes, because a customer left or a
// process died for good, is booked, released or made void after a time. [Ledger.History] tells an owner in words where
// each unit is, [Ledger.Affected] an operator whom an outage has harmed, [Ledger.Audit] everybody whether the ledger
// agrees with its own entries, and [Ledger.CompareCheckpoint] whether it still has what it once had.
//
// # Keys of the numbers
//
// The counter of a series (epoch and issuer) must never go back and must never run under one key in two ledgers. Numbers
// come from blocks that are leased from the store; the mark above the block is durable before the first number is used,
// and numbers left over in a block when a process ends are never used. A new AES key is a new epoch.
//
// # What is left out
//
// There is no inversion of numbers as a service, no random numbers, and no secret in the check code: it finds mistakes,
// not forgeries. If a whole machine is rolled back, store and witness together, nothing on that machine can notice: keep
// a checkpoint ([Ledger.WriteCheckpoint]) elsewhere.
package serial
