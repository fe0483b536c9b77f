package storetest_test

import (
	"testing"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) func() serial.Store {
		m := storetest.NewMemory()
		return func() serial.Store { return m }
	})
}
