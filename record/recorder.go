package record

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"mayfly/bpf"
	"mayfly/record/privilege"
	"mayfly/record/runtimes"
	"mayfly/trace"
)

// recorder is one recording. Its loop reads the rings and makes rows; a second
// goroutine writes them; a third asks the runtime.
type recorder struct {
	opts    Options
	probes  *bpf.Probes
	events  *ring
	calls   *ring
	secure  *ring // security events
	poller  *poller
	clock   clock
	convert converter
	ledger  *ledger
	facts   chan *trace.Container
	summary Summary

	throttles throttles
	gate      *gate // nil: all containers are selected

	batch  *batch
	free   chan *batch
	queue  chan *batch
	writer *trace.Recording

	redacted     atomic.Uint64                    // words
	unwritten    atomic.Pointer[map[string]int64] // rows that the disk did not take, by class of loss
	acknowledged atomic.Int64                     // time up to which rows are on disk
	sealed       int64                            // wall time up to which losses are told
	seals        int64
	began        time.Time
	bytes        uint64 // read since the last seal
	raw          rawEvent
	rawCalls     rawSequence
	seen         map[string]bool // container ids, for the summary
	paused       func() bool     // tests stop the reader with it; may be nil
	lastEpoch    int64
	news         uint32 // the kernel side's number of it, when its maps were read last
	accountedNS  int64  // boot time at which all was accounted for
	quiet        quiet
}

// Run records until ctx ends, then flushes what threads still hold, writes what
// was lost, and seals the trace. The error is nil when all of that worked. It
// matches ErrCannotRecord where nothing could begin.
func Run(ctx context.Context, opts Options) (Summary, error) {
	r, err := start(opts)
	if err != nil {
		return Summary{}, err
	}
	return r.run(ctx)
}

// start loads everything and attaches nothing.
func start(opts Options) (*recorder, error) {
	if err := opts.fill(); err != nil {
		return nil, err
	}
	if err := Check(); err != nil {
		return nil, err
	}
	if opts.Confine {
		if err := privilege.Possible(); err != nil {
			return nil, cannot("%s", err)
		}
	}
	probes, err := load(opts.BPF)
	if err != nil {
		return nil, err
	}
	r := &recorder{opts: opts, probes: probes, ledger: newLedger(probes.Counts),
		throttles: throttles{kernel: probes.Budgets, spells: map[countKey]spell{}},
		facts:     make(chan *trace.Container, 256), batch: &batch{}, seen: map[string]bool{}}
	r.convert = converter{texts: newTexts(), clock: &r.clock, containers: newContainers(probes.Containers, probes.Places)}
	r.convert.processes = newProcesses(&r.clock, r.ended)
	r.choose(opts.Select)
	releaseStart() // before the rings' pages come on top
	if r.clock, err = measureClock(); err == nil {
		err = r.open()
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// choose sets what is recorded of what the rings bring.
func (r *recorder) choose(s Selection) {
	r.convert.containers.selection = s
	if r.gate = newGate(s, r.probes.Deselected); r.gate == nil {
		return
	}
	r.gate.release = r.release
	r.gate.dropped = func(cgroup uint64, class uint32, n uint64) { r.ledger.of(cgroup, class).dropped += n }
	r.ledger.undecided = r.convert.containers.undecided
}

func (r *recorder) open() (err error) {
	if r.events, err = openRing(r.probes.Events); err != nil {
		return err
	}
	if r.calls, err = openRing(r.probes.Sequences); err != nil {
		return err
	}
	if r.secure, err = openRing(r.probes.Security); err != nil {
		return err
	}
	r.poller, err = newPoller(r.events, r.calls, r.secure)
	return err
}

func (r *recorder) close() {
	if r.poller != nil {
		r.poller.close()
	}
	for _, ring := range []*ring{r.events, r.calls, r.secure} {
		if ring != nil {
			ring.close()
		}
	}
	_ = r.probes.Close()
}

func (r *recorder) meta() trace.Meta {
	return trace.Meta{Host: r.opts.Host, Arch: runtime.GOARCH, Kernel: kernelRelease(), BootID: bootID(),
		Recorder: r.opts.Recorder, ClockOffsetNS: r.clock.offset, Source: "mayfly record", Blind: r.probes.Blind()}
}

func (r *recorder) run(ctx context.Context) (Summary, error) {
	defer r.close()
	if err := r.openTrace(); err != nil {
		return Summary{}, err
	}
	runtimeCtx, stopRuntime := context.WithCancel(ctx)
	defer stopRuntime()
	if !r.opts.NoRuntime {
		runtimes.Watch(runtimeCtx, r.opts.Runtimes, r.facts, r.opts.Log)
	}
	written := r.startWriter()
	r.began = time.Now()
	r.sealed = r.began.UnixNano()
	err := r.probes.Attach()
	if err == nil {
		r.convert.processes.before = lookAround(r.opts.All)
		releaseStart()
		err = r.confine()
	}
	if err == nil {
		if err := r.writer.Begin(); err != nil {
			r.opts.Log.Error("trace", "error", err) // the disk may come back
		}
		if r.opts.Ready != nil {
			r.opts.Ready()
		}
		err = r.loop(ctx)
	}
	err = errors.Join(err, r.finish())
	close(r.queue)
	<-written
	if closeErr := r.writer.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("write trace: %w", closeErr))
	}
	for class, lost := range r.writer.Lost() {
		add(&r.summary.Lost, class, lost)
	}
	r.summary.Redacted = r.redacted.Load()
	r.summary.Duration = time.Since(r.began)
	return r.summary, err
}

// hand passes the batch to the writer, and waits for another where the writer
// is behind: meanwhile the rings fill, and what they cannot hold is counted.
func (r *recorder) hand() {
	s := &r.summary
	s.Events += int64(len(r.batch.events))
	s.Sequences += int64(len(r.batch.sequences))
	s.Calls += int64(len(r.batch.calls))
	s.Processes += int64(len(r.batch.processes))
	for _, c := range r.batch.containers {
		r.seen[c.ContainerID] = true
	}
	for _, l := range r.batch.losses {
		if l.Lost > 0 {
			add(&s.Lost, l.Class, l.Lost)
		}
		add(&s.Produced, l.Class, l.Produced)
	}
	s.Containers = int64(len(r.seen))
	r.queue <- r.batch
	r.batch = <-r.free
}

func add(m *map[string]int64, key string, n int64) {
	if *m == nil {
		*m = map[string]int64{}
	}
	(*m)[key] += n
}
