package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// ErrLocked is what OpenRecording and Salvage fail with where another recorder
// writes the same host's rows into the directory.
var ErrLocked = errors.New("another recorder writes into it")

// lockName is the file that stands for the lock of a host in a trace directory.
// It stays when the lock goes: removing it would race with the next holder.
func lockName(host string) string { return ".mayfly-" + pathText(host) + ".lock" }

// lockState is the text of a lock file: what the next recorder must know of the
// last one.
type lockState struct {
	PID       int   `json:"pid,omitempty"`        // of the holder
	RunningNS int64 `json:"running_ns,omitempty"` // it records since, ns since 1970
	GapNS     int64 `json:"gap_ns,omitempty"`     // rows from here on may be missing, and no gap row says so yet
	StoppedNS int64 `json:"stopped_ns,omitempty"` // it stopped in good order
}

func (s lockState) text() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // numbers only
	}
	return append(b, '\n')
}

// takeLock takes a host's lock and returns what its last holder left there.
func takeLock(d disk, dir, host string) (diskLock, lockState, error) {
	lock, text, err := d.lock(lockName(host))
	var state lockState
	_ = json.Unmarshal(text, &state) // what a power cut left of it says no more than an empty one
	switch {
	case errors.Is(err, errLocked) && state.PID != 0:
		return nil, state, fmt.Errorf("%s: %w (process %d, host %s)", dir, ErrLocked, state.PID, host)
	case errors.Is(err, errLocked):
		return nil, state, fmt.Errorf("%s: %w (host %s)", dir, ErrLocked, host)
	case err != nil:
		return nil, state, err
	}
	return lock, state, nil
}

// unclean reports whether the last holder did not stop in good order.
func (s lockState) unclean() bool { return s.RunningNS != 0 || s.GapNS != 0 }

func ownState() lockState { return lockState{PID: os.Getpid()} }
