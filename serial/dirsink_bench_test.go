package serial_test

import (
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-574216e4/meterai/serial"
)

// BenchmarkDirSink: outputs of 1 KiB with their claims, by some callers. The folders stay until the end, because ext4 is
// slow to use the inodes of files that were removed in the last minutes: a run after another that cleaned up says little.
func BenchmarkDirSink(b *testing.B) {
	dir := b.TempDir()
	scheme := testScheme(b)
	var counter atomic.Uint64
	for _, callers := range []int{1, 8, 256} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			sink, err := serial.NewDirSink(filepath.Join(dir, fmt.Sprint(counter.Add(1))))
			require.NoError(b, err)
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						n, err := scheme.Number(counter.Add(1))
						if err == nil {
							err = sink.PutClaimed(b.Context(), n, [32]byte{1}, func(w io.Writer) error {
								_, err := w.Write(make([]byte, 1024))
								return err
							})
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "outputs/s")
		})
	}
}
