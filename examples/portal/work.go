package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/admission"
)

// work does the stampings: it stands in the line for those who pressed the
// button, so that a browser may be closed, and remembers for a while how each
// ended. What must not be forgotten stands in the ledger.
type work struct {
	app   *app
	queue *admission.Queue
	group sync.WaitGroup
	mu    sync.Mutex
	jobs  map[string]*job // by document
}

// A job is one try to stamp a document.
type job struct {
	done  chan struct{} // closed at the end; err and ended do not change afterwards
	err   error
	ended time.Time

	mu      sync.Mutex
	place   admission.Place
	running bool
}

func newWork(a *app, opt *admission.Options) *work {
	return &work{app: a, queue: admission.New(opt), jobs: map[string]*job{}}
}

// close answers who waits and lets the rest finish.
func (k *work) close(ctx context.Context) error {
	err := k.queue.Close(ctx)
	k.group.Wait() // each job ends within stampTime
	return err
}

// begin stamps a document, unless that is being done.
func (k *work) begin(d *document) *job {
	k.mu.Lock()
	defer k.mu.Unlock()
	if j := k.jobs[d.ID]; j != nil && !j.over() {
		return j
	}
	j := &job{done: make(chan struct{})}
	if len(k.jobs) >= maxJobs {
		k.forget()
	}
	if len(k.jobs) >= maxJobs {
		j.end(&admission.RefusedError{Lane: admission.Redeem, Err: admission.ErrFull, RetryAfter: time.Minute}, k.app.now())
		return j
	}
	k.jobs[d.ID] = j
	k.group.Go(func() { j.end(k.run(j, *d), k.app.now()) })
	return j
}

// forget drops the jobs that ended long ago.
func (k *work) forget() {
	for id, j := range k.jobs {
		if j.over() && k.app.now().Sub(j.ended) > jobMemory {
			delete(k.jobs, id)
		}
	}
}

// run stands in the line and does the work. It outlives the request that began
// it; the time is bounded.
func (k *work) run(j *job, d document) error {
	ctx, cancel := context.WithTimeout(context.Background(), stampTime)
	defer cancel()
	ticket := admission.Ticket{Lane: admission.Redeem, Account: d.Account, Notify: j.note}
	switch _, err := k.app.issuer.ledger.LookupKey(ctx, d.Account, []byte(d.Key)); {
	case err == nil:
		ticket.Lane = admission.Resume // what was begun goes first
	case !errors.Is(err, serial.ErrNotFound):
		return err
	}
	err := k.queue.Do(ctx, ticket, func(ctx context.Context) error {
		j.start()
		return k.app.redeem(ctx, &d)
	})
	if err != nil {
		k.app.log.Warn("stamping", "error", err)
	}
	return err
}

func (j *job) end(err error, now time.Time) {
	j.err, j.ended = err, now
	close(j.done)
}

func (j *job) over() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

func (j *job) note(p admission.Place) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.place = p
}

func (j *job) start() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running = true
}

// refused reports whether a job that is over found no place in the line.
func (j *job) refused() bool {
	var refused *admission.RefusedError
	return errors.As(j.err, &refused)
}

func (k *work) find(id string) *job {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.jobs[id]
}

// busy reports whether a document waits or is being stamped.
func (k *work) busy(id string) bool {
	j := k.find(id)
	return j != nil && !j.over()
}

// outcome gives the error of the document's last job, if it is over and remembered.
func (k *work) outcome(id string) error {
	if j := k.find(id); j != nil && j.over() {
		return j.err
	}
	return nil
}

// A waitPage is the data of the waiting page.
type waitPage struct {
	*document
	Running bool
	Ahead   int           // how many go before
	Wait    time.Duration // estimated, until the turn or until the browser asks again
	Full    bool          // there was no place in the line: nothing was taken
}

// showWait says where in the line a document is, and asks again by itself. Who
// found the line full stands in it again at the time that was named.
func (a *app) showWait(w http.ResponseWriter, r *http.Request, v *visit) {
	d, err := a.documents.get(v.Account, r.PathValue("id"))
	if err != nil {
		a.lost(w, v, err)
		return
	}
	j := a.work.find(d.ID)
	if j != nil && j.over() && j.refused() && d.Place != nil && d.Serial.IsZero() {
		var refused *admission.RefusedError
		errors.As(j.err, &refused)
		again := j.ended.Add(refused.RetryAfter).Sub(a.now())
		if again > 0 {
			v.Refresh = seconds(again)
			a.render(w, v, http.StatusOK, "wait", &waitPage{document: d, Full: true, Wait: again})
			return
		}
		j = a.work.begin(d)
	}
	if j == nil || j.over() && !j.refused() {
		http.Redirect(w, r, "/documents/"+d.ID, http.StatusSeeOther)
		return
	}
	j.mu.Lock()
	p := waitPage{document: d, Running: j.running, Ahead: j.place.Ahead, Wait: j.place.Wait}
	j.mu.Unlock()
	v.Refresh = min(max(seconds(p.Wait/4), 1), 10)
	a.render(w, v, http.StatusOK, "wait", &p)
}
