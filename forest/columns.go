package forest

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// checkColumns returns the number of rows of x, which must have as many columns
// as want says (any number above zero when want is 0), all of one length.
func checkColumns(x [][]float32, want int) (rows int, err error) {
	switch {
	case want > 0 && len(x) != want:
		return 0, fmt.Errorf("columns: want %d, got %d", want, len(x))
	case len(x) == 0:
		return 0, errors.New("columns: want at least one, got none")
	case len(x) > maxFeatures:
		return 0, fmt.Errorf("columns: want at most %d, got %d", maxFeatures, len(x))
	}
	rows = len(x[0])
	for i, col := range x {
		if len(col) != rows {
			return 0, fmt.Errorf("column %d: want %d rows as in column 0, got %d", i, rows, len(col))
		}
	}
	if uint64(rows) > math.MaxInt32 {
		return 0, fmt.Errorf("columns: want at most %d rows, got %d", math.MaxInt32, rows)
	}
	return rows, nil
}

// clamp returns v with the infinities replaced by the finite ends of float32.
// NaN stays NaN.
func clamp(v float32) float32 {
	return max(min(v, math.MaxFloat32), -math.MaxFloat32)
}

// between returns a threshold t with lo <= t < hi near the wish, for lo < hi.
func between(wish float64, lo, hi float32) float32 {
	t := float32(wish)
	if t >= hi {
		t = math.Nextafter32(hi, lo)
	}
	return max(t, lo)
}

// parallel calls work(worker, i) once for each i in [0, jobs), on as many
// goroutines as threads says (all processors when it is below 1). Calls of one
// worker number never overlap.
func parallel(jobs, threads int, work func(worker, i int)) {
	threads = workers(jobs, threads)
	if threads <= 1 {
		for i := range jobs {
			work(0, i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range threads {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < jobs; i = int(next.Add(1)) - 1 {
				work(w, i)
			}
		})
	}
	wg.Wait()
}

// workers returns the number of worker numbers that parallel uses.
func workers(jobs, threads int) int {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	return max(1, min(threads, jobs))
}
