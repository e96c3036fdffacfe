package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"syscall"

	"mayfly/trace"

	"github.com/google/renameio/v2"
)

// stateVersion is the version of the state file.
const stateVersion = 2

// maxState is the largest state file that is read.
const maxState = 1 << 30

// forgetNS is how long the state remembers a file by name after its time has
// been scored through. What is older counts as scored.
const forgetNS = 24 * 60 * 60 * int64(1e9)

// state is what a run leaves for the next one.
type state struct {
	Version  int                  `json:"version"`
	Detector string               `json:"detector"` // sha256; another detector starts anew
	Hosts    map[string]*progress `json:"hosts"`

	// Output is how long each output was when the run ended. What stands after
	// that comes from a run that was cut off, and is cut off too.
	Output map[string]int64 `json:"output"`
}

// progress is how far one host has been scored.
type progress struct {
	ThroughNS  int64            `json:"through_ns"` // windows that end by then are done
	Files      map[string]int64 `json:"files"`      // path below the trace → end of its rows
	Containers map[string]*life `json:"containers"` // by id
}

// life is what later windows of a container depend on.
type life struct {
	FirstNS   int64 `json:"first_ns"`             // start of its first window
	LastNS    int64 `json:"last_ns"`              // end of its last window that is done
	FindingNS int64 `json:"finding_ns,omitempty"` // end of its last alarm; 0: none

	Open *episode `json:"open,omitempty"` // what its next alarm may go on with
}

// readState reads the state of a detector; a file that is not there, or one of
// another detector, is a beginning.
func readState(path, detectorSHA string) (*state, error) {
	begin := &state{Version: stateVersion, Detector: detectorSHA, Hosts: map[string]*progress{}, Output: map[string]int64{}}
	if path == "" {
		return begin, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return begin, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if !info.Mode().IsRegular() { // a pipe would wait for ever
		return nil, fmt.Errorf("state %s: is no regular file", path)
	}
	if info.Size() > maxState {
		return nil, fmt.Errorf("state %s: %d bytes, more than it ever has", path, info.Size())
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	var s state
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, fmt.Errorf("state %s: not a state file of replay: %w", path, err)
	}
	if s.Version != stateVersion && s.Version != 1 { // 1 had no episodes
		return nil, fmt.Errorf("state %s: version %d, this mayfly reads %d", path, s.Version, stateVersion)
	}
	if s.Detector == "" || s.Hosts == nil || s.Output == nil { // a profile is JSON with a version too, and would be written over
		return nil, fmt.Errorf("state %s: not a state file of replay: no detector, hosts and output in it", path)
	}
	if s.Detector != detectorSHA {
		return begin, nil
	}
	s.Version = stateVersion
	for host, p := range s.Hosts {
		if p == nil || p.Files == nil || p.Containers == nil || slices.Contains(slices.Collect(maps.Values(p.Containers)), nil) {
			return nil, fmt.Errorf("state %s: host %q: incomplete", path, host)
		}
		for id, l := range p.Containers {
			if l.Open == nil {
				continue
			}
			if err := l.Open.check(); err != nil {
				return nil, fmt.Errorf("state %s: host %q: container %.80q: episode: %w", path, host, id, err)
			}
			l.Open.Of.Host, l.Open.Of.ContainerID = host, id
		}
	}
	for output, n := range s.Output {
		if n < 0 {
			return nil, fmt.Errorf("state %s: output %.80q: %d bytes", path, output, n)
		}
	}
	return &s, nil
}

// write puts the state in place of the last one.
func (s *state) write(path string) error {
	content, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := renameio.WriteFile(path, append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

func (s *state) host(name string) *progress {
	p := s.Hosts[name]
	if p == nil {
		p = &progress{ThroughNS: math.MinInt64, Files: map[string]int64{}, Containers: map[string]*life{}}
		s.Hosts[name] = p
	}
	return p
}

// scored reports whether a file is done with.
func (p *progress) scored(f *trace.File) bool {
	if _, ok := p.Files[f.Rel]; ok {
		return true
	}
	return p.ThroughNS != math.MinInt64 && f.Meta.ToNS < p.ThroughNS-forgetNS
}

// done notes that a file has been scored.
func (p *progress) done(f *trace.File) { p.Files[f.Rel] = f.Meta.ToNS }

// advance notes that windows are done through a time, and forgets what is old.
func (p *progress) advance(throughNS int64) {
	p.ThroughNS = max(p.ThroughNS, throughNS)
	maps.DeleteFunc(p.Files, func(_ string, toNS int64) bool { return toNS < p.ThroughNS-forgetNS })
	maps.DeleteFunc(p.Containers, func(_ string, l *life) bool { return l.LastNS < p.ThroughNS-forgetNS })
}

// ErrBusy is the error where another replay is at work with the same state.
var ErrBusy = errors.New("another replay is at work with it")

// lockState keeps two runs from sharing a state. The lock is flock(2)'s: it goes
// with the process, so that nothing stale is left after a crash.
func lockState(path string) (unlock func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("state %s: %w", path, ErrBusy)
		}
		return nil, fmt.Errorf("state %s: lock: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
