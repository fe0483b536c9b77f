// Package admission is a bounded queue with priority lanes that stands in front of a ledger and its stampings, so that a
// portal under a national deadline answers everybody at once: with a place in the line, or with a time to come back.
//
// The two calls to make are [New] and [Queue.Do]. Admission comes before any debit: who is refused has changed nothing.
//
//	queue := admission.New(&admission.Options{Workers: 16})
//	...
//	err := queue.Do(ctx, admission.Ticket{Lane: admission.Redeem, Account: account}, func(ctx context.Context) error {
//		receipt, err := ledger.Redeem(ctx, request, run)
//		...
//	})
//	if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
//		// 503 with Retry-After: refused.RetryAfter, rounded up to whole seconds
//	}
//
// # Who runs next
//
// At most [Options.Workers] run. A free worker never stands idle while somebody waits. Between lanes the order is
// [Resume], [Redeem], [Purchase], [Register]: what was begun is finished first, then what was paid is used, then new
// money is taken, then new accounts. Running work is never interrupted for a higher lane.
//
// No lane starves: a lane in which somebody waits is passed over at most [Options.Patience] + 3 times in a row.
//
// Inside a lane accounts take turns. The first request of an account goes behind at most two of every other account,
// however many of them wait, and the order of one account's own requests is kept. Give work without an account, a
// registration for example, the name that should have one turn, such as the network address of its sender.
//
// # Who is refused
//
// Whoever would find the lane full, the account's part of it full, a wait longer than [Options.MaxWait], or a context
// whose deadline comes before the estimated end of the work, is refused at once. Who was admitted starts, or is answered,
// within [Options.MaxWait]. A lane of capacity 0 is shut; [Queue.Limit] opens lanes again step by step.
//
// [RefusedError.RetryAfter] is an appointment, not a constant: each refusal of a lane is sent behind the one before it at
// the pace at which the lane moves, plus up to a half at random, so that those refused in one instant do not return in one.
// A flood of refusals thus moves the appointments of its lane away, at most to [Options.MaxRetry], and is forgotten within
// that time. An appointment keeps no place, and nobody is refused for coming early.
//
// # Estimates
//
// Times come from what was measured: the mean time for which the work of a lane holds a worker and the pace at which the
// lane moved, exponentially weighted, one sample counting for at most four times the mean, and never less than the time
// for which nothing at all has moved. They say what holds now: who comes later into a higher lane, or for an account with
// less waiting, still goes ahead, so a place can become worse. A free worker is given without asking the estimate; a
// wrong estimate thus corrects itself as soon as the line is gone.
//
// # Cost
//
// Entering, leaving, giving up and asking for a place take time logarithmic in the length of the lane; nothing walks
// the line but [Queue.Close]. Memory is bounded by the capacities of the lanes: an account is kept as a keyed hash
// and forgotten when nothing of it waits. There is no goroutine other than those of the callers.
//
// # What is left out
//
// The queue is of one process and is not durable: what must survive belongs into the ledger. It does not know keys: a
// retry of work that was begun enters as [Resume] because the caller says so, so look the key up before, and somebody
// who presses a button twice takes two places, unless the second call waits for the first. It bounds the number of
// callers, not the bytes they hold, and it does not stop work that never ends: give work a deadline.
package admission
