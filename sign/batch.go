package sign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"

	"github.com/seed-574216e4/meterai/serial"
)

// A Redeemer is what a batch needs of a ledger; *serial.Ledger is one, and says what
// has to hold.
type Redeemer interface {
	Redeem(ctx context.Context, req serial.Request, run func(ctx context.Context, r serial.Reservation, w io.Writer) error) (serial.Receipt, error)
}

// A Job is one document of a batch.
type Job struct {
	// Name is for people. It may be empty.
	Name string
	// Open gives the source when its turn comes. A source that is an io.Closer is
	// closed when the job is done.
	Open func(ctx context.Context) (r io.ReaderAt, size int64, err error)
	// Account, Key, Kind and Profile are those of serial.Request. The key makes the
	// batch resumable: the same key gets the same stamp, and no second unit.
	Account       string
	Key           []byte
	Kind, Profile string
	// Options are those of this document; nil: those of the batch.
	Options *Options
	// Done, when it is not nil, is called once the stamp is booked, before the source
	// is closed: with the kept output it can write the stamped document. Its error
	// becomes that of the outcome; the unit is used, and the same job run again gets
	// the same receipt and calls Done again. It is called for several jobs at a time.
	Done func(ctx context.Context, r io.ReaderAt, size int64, o *Outcome) error
}

// An Outcome is what became of a job.
type Outcome struct {
	Job      Job
	Index    int            // of the job in the sequence, from zero
	Receipt  serial.Receipt // of the ledger; also with an Err of Done
	Result   *Result        // nil when the receipt is a replayed one, or nothing was signed
	Warnings []string       // see [Document.Warnings]
	Err      error          // nil: stamped

	size int64 // of the source
}

// BatchOptions are those of a batch. Nil and the zero value are safe defaults, but for
// Options, without which each job needs its own.
type BatchOptions struct {
	// Options are those of the documents whose jobs have none.
	Options *Options
	// InFlight is how many documents are in work at a time, most of them waiting for
	// key, ledger or disk. Zero: 32. For a token or a service that signs n at a time,
	// 2n keeps it busy.
	InFlight int
	// CPU is how many of them are read, hashed, sealed and laid out at a time. Zero:
	// as many as the program has processors; with a seal key that has latency, more.
	CPU int
	// Ordered gives the outcomes in the order of the jobs. Up to four times InFlight
	// of them wait for an earlier one, then no more jobs are taken.
	Ordered bool
	// Whole keeps the stamped document in the ledger's sink; otherwise it is the
	// update alone, which appended to the source is the stamped document.
	Whole bool
	// Complete adds later revisions to an update before it is kept, as [Extend] makes
	// them. It is not asked when a timestamp is owed, and cannot go with Whole. The
	// Result is that of the signature and knows nothing of those revisions.
	Complete func(ctx context.Context, r io.ReaderAt, size int64, update []byte) ([]byte, error)
	// Fatal says that the batch shall stop because of the error of a document. Nil
	// stops at what no other document can get past: serial.ErrFenced,
	// serial.ErrClosed and *serial.ClockError.
	Fatal func(err error) bool
	// MaxFailures is how many documents in a row may fail after their unit was
	// taken: then the key or the disk is gone, and every other document would only
	// hold a unit. Zero: twice InFlight; negative: no limit.
	MaxFailures int
	// Progress is called for each outcome with the count so far, before the outcome
	// is given out and never twice at a time.
	Progress func(Tally)
}

// A Tally counts the jobs of a batch.
type Tally struct {
	Stamped  int   // by this batch
	Replayed int   // stamped before: no unit was taken
	Failed   int   // with an Err
	Bytes    int64 // of the sources that are stamped or replayed
}

// Batch stamps many documents, several at a time, and gives an outcome for each. The
// work that needs a processor overlaps the waiting for the key, so that a key with
// latency is kept busy by documents in flight and not by threads.
//
//	for o, err := range sign.Batch(ctx, ledger, credential, jobs, opt) {
//		if err != nil {
//			return err // the batch stopped early
//		}
//		if o.Err != nil {
//			log.Print(o.Job.Name, ": ", o.Err) // the others go on
//		}
//	}
//
// A job is taken from the sequence when there is a place for it, in a goroutine of the
// batch. A sequence that waits for something must end its waiting with ctx. The keys of
// credential and stamp, [Job.Open], [Job.Done] and [BatchOptions.Complete] are called
// for several documents at a time.
//
// # How it ends
//
// Every job that was taken has an outcome. After the last one comes an error if jobs
// may be left: the end of ctx, a fatal one ([BatchOptions.Fatal]) or too many failures
// in a row. When ctx ends, documents in work give up where that is safe; when the
// caller leaves the loop or the batch stops, they are finished first. In every case no
// goroutine is left over.
//
// Nothing is lost or doubled however it ends, the death of the process included: the
// same jobs run again get the stored receipts for what is stamped, the same numbers for
// what was begun, and new ones for the rest (see serial.Ledger.Redeem).
func Batch(ctx context.Context, ledger Redeemer, cred *Credential, jobs iter.Seq[Job], opt *BatchOptions) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		b, err := newBatch(ledger, cred, opt)
		if err == nil && jobs == nil { // which would end the program, in a goroutine of the batch
			err = errors.New("sign: a batch needs jobs")
		}
		if err != nil {
			yield(Outcome{}, err)
			return
		}
		b.run(ctx, jobs, yield)
	}
}

// A batch is one run.
type batch struct {
	ledger Redeemer
	cred   *Credential
	opt    BatchOptions
	places chan struct{} // a document in work holds one
	window chan struct{} // an outcome that is not given out yet holds one
	cpu    chan struct{} // a document that is read, hashed or laid out holds one
	out    chan ended
	stop   chan struct{}
	halt   func() // closes stop
}

// ended is an outcome, and whether the unit was taken.
type ended struct {
	Outcome
	taken bool
}

func newBatch(ledger Redeemer, cred *Credential, opt *BatchOptions) (*batch, error) {
	b := &batch{ledger: ledger, cred: cred, stop: make(chan struct{})}
	if opt != nil {
		b.opt = *opt
	}
	o := &b.opt
	switch {
	case ledger == nil:
		return nil, errors.New("sign: a batch needs a ledger")
	case cred == nil || cred.signer == nil:
		return nil, ErrNoKey
	case o.InFlight < 0 || o.CPU < 0:
		return nil, errors.New("sign: options of a batch must not be negative")
	case o.Whole && o.Complete != nil:
		return nil, errors.New("sign: a batch that keeps whole documents cannot complete updates")
	}
	if o.InFlight == 0 {
		o.InFlight = 32
	}
	if o.CPU == 0 {
		o.CPU = runtime.GOMAXPROCS(0)
	}
	if o.Fatal == nil {
		o.Fatal = fatal
	}
	if o.MaxFailures == 0 {
		o.MaxFailures = 2 * o.InFlight
	}
	b.places = make(chan struct{}, o.InFlight)
	b.window = make(chan struct{}, 4*o.InFlight)
	b.cpu = make(chan struct{}, o.CPU)
	b.out = make(chan ended, 4*o.InFlight) // so that no sender ever waits
	b.halt = sync.OnceFunc(func() { close(b.stop) })
	return b, nil
}

// fatal is what no other document can get past.
func fatal(err error) bool {
	var clock *serial.ClockError
	return errors.Is(err, serial.ErrFenced) || errors.Is(err, serial.ErrClosed) || errors.As(err, &clock)
}

// run gives out the outcomes.
func (b *batch) run(ctx context.Context, jobs iter.Seq[Job], yield func(Outcome, error) bool) {
	defer b.halt()
	go b.feed(ctx, jobs)
	var d delivery
	for e := range b.out {
		if err := d.note(&e, &b.opt); err != nil {
			b.halt()
		}
		for _, o := range d.ready(e.Outcome, b.opt.Ordered) {
			if b.opt.Progress != nil {
				b.opt.Progress(d.count(&o))
			}
			if !d.left && !yield(o, nil) {
				d.left = true
				b.halt()
			}
			<-b.window
		}
	}
	switch {
	case d.left:
	case d.err != nil:
		yield(Outcome{}, fmt.Errorf("sign: the batch stopped: %w", d.err))
	case ctx.Err() != nil:
		yield(Outcome{}, fmt.Errorf("sign: the batch stopped: %w", ctx.Err()))
	}
}

// feed takes jobs as there are places for them, and closes out after the last outcome.
func (b *batch) feed(ctx context.Context, jobs iter.Seq[Job]) {
	var workers sync.WaitGroup
	index := 0
	if b.room(ctx) {
		for job := range jobs {
			o := ended{Outcome: Outcome{Job: job, Index: index}}
			index++
			workers.Go(func() {
				o.taken, o.Err = b.do(ctx, &o.Outcome)
				<-b.places
				b.out <- o
			})
			if !b.room(ctx) {
				break
			}
		}
	}
	workers.Wait()
	close(b.out)
}

// room waits for the place of another document, and says whether there is to be one.
func (b *batch) room(ctx context.Context) bool {
	for _, c := range []chan struct{}{b.window, b.places} {
		select {
		case c <- struct{}{}:
		case <-b.stop:
			return false
		case <-ctx.Done():
			return false
		}
	}
	select {
	case <-b.stop:
		return false
	default:
		return ctx.Err() == nil
	}
}

// do stamps one document. It says whether a unit was taken.
func (b *batch) do(ctx context.Context, o *Outcome) (taken bool, err error) {
	if o.Job.Open == nil {
		return false, errors.New("sign: a job needs a source")
	}
	r, size, err := o.Job.Open(ctx)
	if err != nil {
		return false, err
	}
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	doc, request, err := b.preflight(ctx, &o.Job, r, size)
	if err != nil {
		return false, err
	}
	o.Warnings, o.size = doc.Warnings(), size
	o.Receipt, err = b.ledger.Redeem(ctx, request, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		taken = true
		return b.stamp(ctx, doc, o, Issue{Number: r.Number, Time: r.Time}, w)
	})
	if err == nil && o.Job.Done != nil {
		err = o.Job.Done(ctx, r, size, o)
	}
	return taken, err
}

// preflight opens and hashes a document.
func (b *batch) preflight(ctx context.Context, job *Job, r io.ReaderAt, size int64) (*Document, serial.Request, error) {
	leave, err := b.enter(ctx)
	if err != nil {
		return nil, serial.Request{}, err
	}
	defer leave()
	opt := job.Options
	if opt == nil {
		opt = b.opt.Options
	}
	doc, err := Open(r, size, opt)
	if err != nil {
		return nil, serial.Request{}, err
	}
	request, err := doc.Request(ctx, job.Account, job.Key)
	request.Kind, request.Profile = job.Kind, job.Profile
	return doc, request, err
}

// stamp makes what the ledger keeps. The processor is given to another document while
// this one waits for its key.
func (b *batch) stamp(ctx context.Context, doc *Document, o *Outcome, is Issue, w io.Writer) (err error) {
	leave, err := b.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	doc.beforeKey = leave
	if b.opt.Whole {
		o.Result, err = doc.Sign(ctx, w, b.cred, is)
		return err
	}
	update, result, err := doc.Update(ctx, b.cred, is)
	if err != nil {
		return err
	}
	o.Result = result
	if b.opt.Complete != nil && result.TimestampOwed == "" {
		if update, err = b.opt.Complete(ctx, doc.r, doc.file.Size(), update); err != nil {
			return err
		}
	}
	_, err = w.Write(update)
	return err
}

// enter waits for the right to use a processor; leave gives it back, once.
func (b *batch) enter(ctx context.Context) (leave func(), err error) {
	select {
	case b.cpu <- struct{}{}:
		return sync.OnceFunc(func() { <-b.cpu }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// delivery is what the loop over the outcomes knows.
type delivery struct {
	tally   Tally
	failing int             // documents in a row that failed after their unit was taken
	err     error           // why the batch stops
	left    bool            // the caller left the loop
	waiting map[int]Outcome // for earlier ones
	next    int             // index of the outcome that is due
}

// note says why the batch has to stop, if it has.
func (d *delivery) note(e *ended, opt *BatchOptions) error {
	switch {
	case e.Err == nil:
		d.failing = 0
	case e.taken:
		d.failing++
	}
	if d.err == nil && e.Err != nil {
		switch {
		case opt.Fatal(e.Err):
			d.err = e.Err
		case opt.MaxFailures > 0 && d.failing >= opt.MaxFailures:
			d.err = fmt.Errorf("%d documents in a row failed: %w", d.failing, e.Err)
		}
	}
	return d.err
}

// ready gives the outcomes that are due.
func (d *delivery) ready(o Outcome, ordered bool) []Outcome {
	if !ordered {
		return []Outcome{o}
	}
	if d.waiting == nil {
		d.waiting = make(map[int]Outcome)
	}
	d.waiting[o.Index] = o
	var out []Outcome
	for {
		o, ok := d.waiting[d.next]
		if !ok {
			return out
		}
		delete(d.waiting, d.next)
		d.next++
		out = append(out, o)
	}
}

func (d *delivery) count(o *Outcome) Tally {
	switch {
	case o.Err != nil:
		d.tally.Failed++
	case o.Receipt.Replayed:
		d.tally.Replayed++
	default:
		d.tally.Stamped++
	}
	if o.Err == nil {
		d.tally.Bytes += o.size
	}
	return d.tally
}
