package privilege

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Try runs f on a thread that has no capability but those of keep, and ends the
// thread before it returns: what is asked of all threads afterwards must not meet
// one that may not do it. f must stay in its goroutine. The error is f's, or says
// that the thread could not be made.
func Try(keep Set, f func() error) error {
	type outcome struct {
		thread int
		err    error
	}
	done := make(chan outcome, 1)
	go offMain(func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		state, err := Current()
		if err == nil {
			keep &= state.Permitted
			err = set(keep, keep, 0)
		}
		if err == nil {
			err = f()
		}
		done <- outcome{unix.Gettid(), err}
	})
	end := <-done
	return errors.Join(end.err, gone(end.thread))
}

// offMain runs f on another thread than the process's first one, which would
// outlive its goroutine.
func offMain(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return // the lock ends the thread
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
	runtime.UnlockOSThread()
}

// gone waits until a thread of this process has ended.
func gone(thread int) error {
	path := "/proc/self/task/" + strconv.Itoa(thread)
	for wait := 50 * time.Microsecond; wait < 2*time.Second; wait *= 2 {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		time.Sleep(wait)
	}
	return fmt.Errorf("thread %d does not end", thread)
}

// Needed returns the capabilities that f needs: none where it works without any,
// else those of candidates that it cannot do without, tried one by one. The error
// is f's where it does not work with all candidates either.
func Needed(candidates []int, f func() error) (Set, error) {
	if Try(0, f) == nil {
		return 0, nil
	}
	need := Of(candidates...)
	if err := Try(need, f); err != nil {
		return 0, err
	}
	for _, bit := range candidates {
		if less := need &^ Of(bit); Try(less, f) == nil {
			need = less
		}
	}
	return need, nil
}
