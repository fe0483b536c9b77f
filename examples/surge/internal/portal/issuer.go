package portal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign"
)

// Desk is what an issuer needs besides its ledger.
type Desk struct {
	Credential *sign.Credential
	Options    sign.Options // of every stamp
	Owed       string       // folder in which a document that owes its timestamp is noted
}

// Issuer does what the front door lets in. It is safe for concurrent use.
type Issuer struct {
	ledger *serial.Ledger
	desk   *Desk
}

// NewIssuer makes an issuer of a ledger that has a scheme and a sink.
func NewIssuer(ledger *serial.Ledger, desk *Desk) *Issuer { return &Issuer{ledger, desk} }

// Ledger is the issuer's.
func (s *Issuer) Ledger() *serial.Ledger { return s.ledger }

// Do does one call. The answer has no time to come back and no time of admission: they are the front door's.
func (s *Issuer) Do(ctx context.Context, c *Call) Answer {
	var err error
	switch c.Op {
	case Register:
		_, err = s.ledger.SetLimit(ctx, c.Account, 0, []byte("register"))
	case Order:
		_, err = s.ledger.Balance(ctx, c.Account)
	case Credit:
		_, err = s.ledger.CreditPayment(ctx, serial.Payment{Account: c.Account, Units: c.Units, Reference: []byte(c.Key), Paid: c.Paid})
	case Transfer:
		_, err = s.ledger.Transfer(ctx, c.Account, c.Peer, c.Units, []byte(c.Key))
	case Refund:
		_, err = s.ledger.Refund(ctx, c.Account, c.Units, []byte(c.Key), "asked for by the customer")
	case Reserve, Stamp:
		return s.document(ctx, c)
	default:
		err = &serial.RequestError{Field: "op", Reason: c.Op.String()}
	}
	return answer(err, "")
}

// document holds a unit for a document or stamps it. Whatever can be refused is refused before a unit is taken.
func (s *Issuer) document(ctx context.Context, c *Call) Answer {
	source := c.Document.Bytes()
	doc, err := sign.Open(bytes.NewReader(source), int64(len(source)), &s.desk.Options)
	if err != nil {
		return Answer{Outcome: Wrong, Reason: err.Error()}
	}
	req, err := doc.Request(ctx, c.Account, []byte(c.Key))
	if err != nil {
		return answer(err, "")
	}
	if c.Op == Reserve {
		r, err := s.ledger.Reserve(ctx, req)
		return answer(err, name(r.Number))
	}
	var held string
	receipt, err := s.ledger.Redeem(ctx, req, func(ctx context.Context, r serial.Reservation, w io.Writer) error {
		held = r.Number.String()
		result, err := doc.Sign(ctx, w, s.desk.Credential, sign.Issue{Number: r.Number, Time: r.Time})
		if err == nil && result.TimestampOwed != "" {
			err = s.owes(r.Number)
		}
		return err
	})
	if err != nil {
		return answer(err, held)
	}
	return Answer{
		Outcome: Done, Serial: receipt.Number.String(), Replayed: receipt.Replayed,
		Digest: receipt.Output.Digest, Length: receipt.Output.Length,
	}
}

// owes notes, before the output is kept, that it has to get a timestamp later. A note without an output harms nobody.
func (s *Issuer) owes(n serial.Number) error {
	f, err := os.Create(filepath.Join(s.desk.Owed, n.String()))
	if err != nil {
		return fmt.Errorf("note an owed timestamp: %w", err)
	}
	return f.Close()
}

func name(n serial.Number) string {
	if n.IsZero() {
		return ""
	}
	return n.String()
}

// answer says what an error means to the caller. Held is the serial number that was taken, as far as known.
func answer(err error, held string) Answer {
	var conflict *serial.ConflictError
	var state *serial.StateError
	var clock *serial.ClockError
	var request *serial.RequestError
	a := Answer{Outcome: Unknown, Serial: held}
	if err == nil {
		a.Outcome = Done
		return a
	}
	a.Reason = err.Error()
	switch {
	case errors.As(err, &state) && state.State == serial.Void:
		a.Outcome, a.Serial = Void, state.Number.String()
	case errors.Is(err, serial.ErrInsufficient):
		a.Outcome = Short
	case errors.As(err, &conflict) && !conflict.UnderWay, errors.As(err, &request):
		a.Outcome = Wrong
	case held != "":
		a.Outcome = Begun
	case errors.Is(err, serial.ErrUnknownOutcome):
	case errors.Is(err, serial.ErrFenced):
		a.Outcome, a.Fenced = Down, true
	case errors.As(err, &clock), errors.Is(err, serial.ErrClosed), errors.Is(err, serial.ErrNotFound):
		a.Outcome = Down
	}
	return a
}
