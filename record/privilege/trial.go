package privilege

import (
	"runtime"
)

// Try runs f on a thread that has no capability but those of keep, and ends the
// thread. f must stay in its goroutine. The error is f's, or says that the
// thread could not be made.
func Try(keep Set, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		state, err := Current()
		if err == nil {
			keep &= state.Permitted
			err = set(keep, keep, 0)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
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
