package record

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"mayfly/bpf"
	"mayfly/record/redact"
	"mayfly/record/runtimes"
)

// Options say what is recorded and where it goes.
type Options struct {
	Dir         string            // trace directory; made where it is missing
	Host        string            // name in the trace; "" is the machine's own
	All         bool              // the host's tasks too, not only containers'
	Rotate      time.Duration     // files are sealed at multiples of this on the wall clock
	RotateBytes int64             // and when this much was read from the kernel since the last seal
	RetainBytes int64             // of the host's sealed files; the oldest are deleted above it; 0: no limit
	RetainAge   time.Duration     // sealed files older than this are deleted; 0: no limit
	Runtimes    []runtimes.Source // container runtimes to ask; nil is runtimes.DefaultSources
	NoRuntime   bool              // ask no container runtime
	Select      Selection         // which containers; the zero value is all
	Recorder    string            // name and version for the trace's metadata
	Redact      *redact.Redactor  // takes secrets out of command lines; nil leaves them in
	BPF         bpf.Options       // rings; its Host is set from All
	Confine     bool              // give up privileges of the whole process once recording has begun
	WriteDirs   []string          // other directories that the process goes on to write into
	Log         *slog.Logger      // nil: discard
	Ready       func()            // called once recording has begun; may be nil
	Watch       func(Status)      // called about once a second by the goroutine that reads the rings, which waits for it; may be nil
}

// DefaultOptions records containers, and seals files each minute and each 256 MiB.
func DefaultOptions() Options {
	return Options{Rotate: time.Minute, RotateBytes: 256 << 20, Recorder: "mayfly", BPF: bpf.DefaultOptions()}
}

func (o *Options) fill() error {
	if o.Dir == "" {
		return errors.New("trace directory: has no name")
	}
	if o.Rotate < time.Second {
		return fmt.Errorf("rotate %v: want a second or more", o.Rotate)
	}
	if o.RotateBytes <= 0 {
		return fmt.Errorf("rotate at %d bytes: want more than 0", o.RotateBytes)
	}
	if o.RetainBytes < 0 || o.RetainAge < 0 {
		return fmt.Errorf("retain %d bytes, %v: want 0 or more", o.RetainBytes, o.RetainAge)
	}
	if o.Host == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("host name: %w", err)
		}
		o.Host = name
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Runtimes == nil {
		o.Runtimes = runtimes.DefaultSources()
	}
	o.BPF.Host, o.BPF.Selective = o.All, !o.Select.All()
	return nil
}

// Summary says what a recording holds and what it lost.
type Summary struct {
	Events     int64
	Sequences  int64
	Calls      int64 // in the sequences
	Processes  int64
	Containers int64
	Lost       map[string]int64 // records by class (trace.LossEvents …); no entry for 0
	Produced   map[string]int64 // records by class
	Redacted   uint64           // words of command lines in which a secret was replaced
	Duration   time.Duration
}
