package replay

import (
	"context"
	"io"

	"github.com/seed-574216e4/meterai/serial"
)

// output reads stamped documents through whatever ledger is open.
func output(p Plant) func(context.Context, serial.Number) (io.ReadCloser, error) {
	return func(ctx context.Context, n serial.Number) (io.ReadCloser, error) {
		ledger, _ := p.Ledger()
		if ledger == nil {
			return nil, serial.ErrClosed
		}
		return ledger.Output(ctx, n)
	}
}
