package bpf

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"github.com/elastic/go-seccomp-bpf/arch"
)

// Classes of record, each with a ring and counts of its own: enum class of mayfly.h.
const (
	ClassEvents    = 0
	ClassSequences = 1
	ClassSecurity  = 2
	Classes        = 3
)

// Options say what the kernel side records and how much it buffers.
type Options struct {
	Host          bool          // record the host's tasks too, not only containers'
	Setup         bool          // record what runtimes do in a container before its first program
	EventBytes    int           // ring of events; a power of two and a multiple of the page size
	SequenceBytes int           // ring of sequences; likewise
	SecurityBytes int           // ring of security events; likewise
	Budget        int64         // bytes a second that one container may send into one ring; 0: no bound but its share
	Selective     bool          // containers may be put into Deselected
	Epoch         time.Duration // how often the reader calls NextEpoch
	Without       Missing       // do as if the kernel lacked something
}

// DefaultOptions records containers only, with rings of 4 MiB (events), 8 MiB
// (sequences) and 2 MiB (security), and lets a container send 64 MiB a second
// into each.
func DefaultOptions() Options {
	return Options{EventBytes: 4 << 20, SequenceBytes: 8 << 20, SecurityBytes: 2 << 20,
		Budget: 64 << 20, Epoch: 100 * time.Millisecond}
}

// Probes are the loaded programs and maps. Its methods may be called from
// several goroutines, except Attach, Detach and Close.
type Probes struct {
	Events     *ebpf.Map // ring buffer: MayflyEvent and sections
	Sequences  *ebpf.Map // ring buffer: MayflySequence and call numbers
	Security   *ebpf.Map // ring buffer: as Events, of the kinds that are rare and tell most
	Counts     *ebpf.Map // MayflyCountKey → MayflyCount of each CPU
	Budgets    *ebpf.Map // MayflyCountKey → MayflyBudget
	Containers *ebpf.Map // cgroup id → MayflyContainer
	Places     *ebpf.Map // cgroup id → MayflyPlace
	Deselected *ebpf.Map // cgroup id → anything: nothing more of the container is recorded

	collection *ebpf.Collection
	blind      []string
	links      []io.Closer
	idle       *link.Iter
}

// Load puts the programs into the kernel. It does not attach them. An error of
// the verifier prints in full with %+v.
func Load(opts Options) (*Probes, error) {
	m, err := thisMachine()
	if err != nil {
		return nil, err
	}
	spec, err := LoadMayfly()
	if err != nil {
		return nil, err
	}
	spec.Maps[MayflyMapEvents].MaxEntries = uint32(opts.EventBytes)
	spec.Maps[MayflyMapSequences].MaxEntries = uint32(opts.SequenceBytes)
	spec.Maps[MayflyMapSecurity].MaxEntries = uint32(opts.SecurityBytes)
	if err := setVariables(spec, m, opts); err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, err
	}
	blind := opts.Without.look().drop(spec)
	slices.Sort(blind)
	collection, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: typeCache()})
	forgetTypes()
	if err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	return &Probes{
		blind:      blind,
		Events:     collection.Maps[MayflyMapEvents],
		Sequences:  collection.Maps[MayflyMapSequences],
		Security:   collection.Maps[MayflyMapSecurity],
		Counts:     collection.Maps[MayflyMapCounts],
		Budgets:    collection.Maps[MayflyMapBudgets],
		Containers: collection.Maps[MayflyMapContainers],
		Places:     collection.Maps[MayflyMapPlaces],
		Deselected: collection.Maps[MayflyMapDeselected],
		collection: collection,
	}, nil
}

func setVariables(spec *ebpf.CollectionSpec, m *arch.Info, opts Options) error {
	for name, value := range map[string]any{
		MayflyVarCalls:         arguments(m, narrow[runtime.GOARCH]),
		MayflyVarSpecial:       special(m),
		MayflyVarRecordHost:    opts.Host,
		MayflyVarRecordSetup:   opts.Setup,
		MayflyVarSelective:     opts.Selective,
		MayflyVarCgroupV1:      pidsHierarchy(),
		MayflyVarCallExecve:    uint32(m.SyscallNames["execve"]),
		MayflyVarCallExecveat:  uint32(m.SyscallNames["execveat"]),
		MayflyVarCallSigreturn: uint32(m.SyscallNames["rt_sigreturn"]),
		MayflyVarRingSizes:     opts.rings(),
		MayflyVarEpochLength:   uint64(opts.Epoch.Nanoseconds()),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
	}
	return nil
}

// halfLife is how many epochs it takes the kernel side to halve what a container
// sent: HALF_LIFE of budget.h.
const halfLife = 4

// rings returns the ring of each class, in the order of enum class.
func (o *Options) rings() (rings [Classes]MayflyRingSize) {
	sent := uint64(o.Budget) * uint64((2 * halfLife * o.Epoch).Milliseconds()) / 1000
	for class, size := range [Classes]int{ClassEvents: o.EventBytes, ClassSequences: o.SequenceBytes, ClassSecurity: o.SecurityBytes} {
		rings[class] = MayflyRingSize{Size: uint32(size), Wakeup: uint32(size / 8), Budget: sent}
	}
	return rings
}

// pidsHierarchy says whether the pids controller has a cgroup v1 hierarchy.
func pidsHierarchy() bool {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(groups)) {
		if fields := strings.SplitN(line, ":", 3); len(fields) == 3 {
			for _, controller := range strings.Split(fields[1], ",") {
				if controller == "pids" {
					return true
				}
			}
		}
	}
	return false
}

// Attach starts recording. The process that calls it is left out.
func (p *Probes) Attach() error {
	if err := p.whoami(); err != nil {
		return err
	}
	idle, err := link.AttachIter(link.IterOptions{Program: p.collection.Programs[MayflyProgFlushIdle]})
	if err != nil {
		return fmt.Errorf("attach %s: %w", MayflyProgFlushIdle, err)
	}
	p.idle = idle
	for _, name := range p.order() {
		l, err := attach(p.collection.Programs[name])
		if err != nil {
			return errors.Join(fmt.Errorf("attach %s: %w", name, err), p.Detach())
		}
		p.links = append(p.links, l)
	}
	return p.whoami()
}

// order is that in which the programs are attached: first the one that sees what
// makes a task a container's, last the one that is met most, so that whoever is met is
// not taken for somebody whose exec was missed.
func (p *Probes) order() []string {
	names := slices.Sorted(maps.Keys(p.collection.Programs))
	names = slices.DeleteFunc(names, func(name string) bool {
		return slices.Contains([]string{MayflyProgWhoami, MayflyProgFlushIdle, MayflyProgProcessExec, MayflyProgSysExit}, name)
	})
	return slices.Concat([]string{MayflyProgProcessExec}, names, []string{MayflyProgSysExit})
}

func attach(program *ebpf.Program) (link.Link, error) {
	if program.Type() == ebpf.LSM {
		return link.AttachLSM(link.LSMOptions{Program: program})
	}
	return link.AttachTracing(link.TracingOptions{Program: program})
}

// Blind says what cannot be seen because this kernel lacks a hook, sorted. Each is
// a clause: "connect: …".
func (p *Probes) Blind() []string { return slices.Clone(p.blind) }

func (p *Probes) whoami() error {
	iter, err := link.AttachIter(link.IterOptions{Program: p.collection.Programs[MayflyProgWhoami]})
	if err != nil {
		return fmt.Errorf("attach %s: %w", MayflyProgWhoami, err)
	}
	return errors.Join(run(iter), iter.Close())
}

// run reads an iterator, which runs its program.
func run(iter *link.Iter) error {
	r, err := iter.Open()
	if err != nil {
		return fmt.Errorf("task iterator: %w", err)
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// NextEpoch makes each running thread send what it has gathered at its next call.
// The epoch that begins will end after that long, or sooner.
func (p *Probes) NextEpoch(bootNS uint64, length time.Duration) error {
	var epoch uint32
	v := p.collection.Variables
	if err := v[MayflyVarEpoch].Get(&epoch); err != nil {
		return fmt.Errorf("epoch: %w", err)
	}
	if err := v[MayflyVarEpochStart].Set(bootNS); err != nil {
		return fmt.Errorf("epoch start: %w", err)
	}
	if err := v[MayflyVarEpochLength].Set(uint64(length.Nanoseconds())); err != nil {
		return fmt.Errorf("epoch length: %w", err)
	}
	if err := v[MayflyVarEpoch].Set(epoch + 1); err != nil {
		return fmt.Errorf("epoch: %w", err)
	}
	return nil
}

// Stirred says whether anything was recorded, or any container came or went,
// since the last call.
func (p *Probes) Stirred() (bool, error) {
	var stirred uint32
	v := p.collection.Variables[MayflyVarStirred]
	err := v.Get(&stirred)
	if err == nil && stirred != 0 {
		err = v.Set(uint32(0))
	}
	if err != nil {
		return false, fmt.Errorf("stirred: %w", err)
	}
	return stirred != 0, nil
}

// News is a number that changes with what Containers, Budgets and the losses in Counts
// have to tell.
func (p *Probes) News() (uint32, error) {
	var news uint32
	if err := p.collection.Variables[MayflyVarNews].Get(&news); err != nil {
		return 0, fmt.Errorf("news: %w", err)
	}
	return news, nil
}

// Quiet asks the kernel side to wake the reader of the sequences when it stirs
// again. What it says next of Stirred is true a moment later only.
func (p *Probes) Quiet() error {
	if err := p.collection.Variables[MayflyVarQuiet].Set(uint32(1)); err != nil {
		return fmt.Errorf("quiet: %w", err)
	}
	return nil
}

// FlushIdle sends what threads have gathered that made no call in this epoch.
// After NextEpoch and Detach that is everything.
func (p *Probes) FlushIdle() error {
	if p.idle == nil {
		return nil
	}
	return run(p.idle)
}

// FlushBlocked sends what FlushIdle does, and appends to it the calls that
// threads are blocked in. It is for the end: once, after Detach.
func (p *Probes) FlushBlocked() error {
	if err := p.collection.Variables[MayflyVarDetached].Set(uint32(1)); err != nil {
		return fmt.Errorf("detached: %w", err)
	}
	return p.FlushIdle()
}

// Uncounted returns the number of records that were lost without a container
// to count them for, and of programs that the kernel did not run because the
// CPU was already in one (possible only on preemptible kernels).
func (p *Probes) Uncounted() (uint64, error) {
	var n uint64
	if err := p.collection.Variables[MayflyVarUncounted].Get(&n); err != nil {
		return 0, fmt.Errorf("uncounted: %w", err)
	}
	for name, program := range p.collection.Programs {
		stats, err := program.Stats()
		if err != nil {
			return n, fmt.Errorf("program %s: %w", name, err)
		}
		n += stats.RecursionMisses
	}
	return n, nil
}

// Detach stops recording. The maps and FlushIdle stay usable.
func (p *Probes) Detach() error {
	var wg sync.WaitGroup // each waits for a grace period of the kernel
	errs := make([]error, len(p.links))
	for i, l := range p.links {
		wg.Go(func() { errs[i] = l.Close() })
	}
	wg.Wait()
	p.links = nil
	return errors.Join(errs...)
}

// Close detaches, and frees programs and maps.
func (p *Probes) Close() error {
	err := p.Detach()
	if p.idle != nil {
		err = errors.Join(err, p.idle.Close())
		p.idle = nil
	}
	p.collection.Close()
	return err
}
