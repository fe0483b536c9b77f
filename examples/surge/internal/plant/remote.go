//go:build unix && cgo

package plant

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
)

// process is an issuing process, seen from outside. It is a [portal.Backend].
type process struct {
	cmd    *exec.Cmd
	input  io.Closer
	client *rpc.Client
	ended  chan struct{}
	once   sync.Once

	meant   atomic.Bool // it was ended on purpose
	still   atomic.Bool // it was stopped, and does not answer
	name    string      // of its sessions in the database
	counted bool        // its processor time is among that of those who are gone
}

// WorkerCommand is the first argument with which the program runs as an issuing process.
const WorkerCommand = "issuer-process"

// startProcess starts an issuing process and waits until it answers.
func startProcess(ctx context.Context, program string, w *work) (*process, error) {
	cmd := exec.Command(program, WorkerCommand)
	said, err := os.Create(w.Socket + ".log") // what it says when it dies, beside its socket
	if err != nil {
		return nil, err
	}
	defer said.Close()
	cmd.Stderr = said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for the replay to handle
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	_ = os.Remove(w.Socket)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, input: in, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	if err := json.NewEncoder(in).Encode(w); err != nil {
		p.kill()
		return nil, err
	}
	for range 1200 {
		if p.client, err = rpc.Dial("unix", w.Socket); err == nil {
			return p, nil
		}
		select {
		case <-p.ended:
			return nil, fmt.Errorf("issuer %d ended before it answered: %s", w.Issuer, lastWords(said.Name()))
		case <-ctx.Done():
			p.kill()
			return nil, ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
	p.kill()
	return nil, fmt.Errorf("issuer %d does not answer: %w", w.Issuer, err)
}

// lastWords is the end of what a process has said.
func lastWords(file string) string {
	const most = 500
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-most):]))
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Do implements [portal.Backend]. A process that is gone answers at once; one that stands still, not before ctx ends.
func (p *process) Do(ctx context.Context, c *portal.Call) portal.Answer {
	a := new(portal.Answer)
	if p.gone() {
		return portal.Answer{Outcome: portal.Down, Reason: "the issuer is gone"}
	}
	call := p.client.Go("Issuer.Do", c, a, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error != nil {
			return portal.Answer{Outcome: portal.Unknown, Reason: "the issuer's connection: " + call.Error.Error()}
		}
		return *a
	case <-ctx.Done():
		return portal.Answer{Outcome: portal.Unknown, Reason: "no answer of the issuer in time"}
	}
}

// away reports whether a fault has killed or stopped the process, or it has ended.
func (p *process) away() bool { return p.meant.Load() || p.still.Load() || p.gone() }

// control has a process obey an order, and gives its figures.
func (p *process) control(o Order) (map[string]int64, error) {
	figures := make(map[string]int64)
	call := p.client.Go("Issuer.Control", &o, &figures, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		return figures, call.Error
	case <-time.After(5 * time.Second):
		return nil, fmt.Errorf("an issuing process does not answer")
	}
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends a process without giving it a chance.
func (p *process) kill() {
	p.meant.Store(true)
	p.once.Do(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		_ = p.input.Close()
		if p.client != nil {
			_ = p.client.Close()
		}
	})
}

// end lets a process finish, and kills it when that takes long.
func (p *process) end() {
	p.meant.Store(true)
	_ = p.input.Close()
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
	}
	p.kill()
}

func (p *process) pid() string { return strconv.Itoa(p.cmd.Process.Pid) }
