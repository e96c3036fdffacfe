package dockertest

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// held counts the tests of this process that hold the lock.
var held struct {
	sync.Mutex
	tests int
	file  *os.File
}

// Alone keeps tests of other processes that record or run containers waiting
// until this test has ended: `go test ./...` runs packages side by side, and a
// recording would hold the other's containers.
func Alone(t testing.TB) {
	t.Helper()
	held.Lock()
	defer held.Unlock()
	if held.tests == 0 {
		f, err := os.OpenFile(filepath.Join(os.TempDir(), "mayfly-containers.lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		held.file = f
	}
	held.tests++
	t.Cleanup(func() {
		held.Lock()
		defer held.Unlock()
		if held.tests--; held.tests == 0 {
			_ = held.file.Close() // and with it the lock
		}
	})
}
