package bpf

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
)

// Feature is something of the kernel that the recorder uses.
type Feature struct {
	Name   string // what it is: "ring buffer"
	Needed string // what for, and what follows where it is missing
	Must   bool   // nothing can be recorded without it
	Cost   bool   // without it a recording shows as much, at a higher cost
	OK     bool   // it is there
	Detail string // where OK is false, why; else what was found, or ""
}

// probe is how a feature is looked for. found returns nil where it is there, and
// what was found.
type probe struct {
	Feature
	found func() (detail string, err error)
}

// Features looks for what the recorder uses of this kernel, in the order of
// importance. A feature that cannot be asked for (no privilege) counts as
// missing, with the reason in its Detail; the error is that of a machine that
// the recorder is not built for.
func Features() ([]Feature, error) {
	if _, err := thisMachine(); err != nil {
		return nil, err
	}
	list := make([]Feature, len(probes))
	for i, p := range probes {
		f := p.Feature
		detail, err := p.found()
		f.OK, f.Detail = err == nil, detail
		switch {
		case errors.Is(err, ebpf.ErrNotSupported):
			f.Detail = "this kernel lacks it"
		case err != nil:
			f.Detail = err.Error()
		}
		list[i] = f
	}
	return list, nil
}

var probes = []probe{
	{Feature{Name: "type information", Needed: "to find the kernel's structures: CONFIG_DEBUG_INFO_BTF", Must: true}, haveBTF},
	{Feature{Name: "ring buffer", Needed: "to hand records to the recorder: Linux 5.8", Must: true},
		func() (string, error) { return "", features.HaveMapType(ebpf.RingBuf) }},
	{Feature{Name: "tracepoints with types", Needed: "to see calls and processes: Linux 5.5", Must: true},
		tracepoint("sys_exit")},
	{Feature{Name: "current task with types", Needed: "to know whose call it is: Linux 5.11; before, each of its fields is read by a call", Cost: true},
		helper(asm.FnGetCurrentTaskBtf)},
	{Feature{Name: "task storage", Needed: "to keep calls of threads that have no slot: Linux 5.12; before, a hash map does", Cost: true},
		helper(asm.FnTaskStorageGet)},
	{Feature{Name: "fetching atomics", Needed: "to lock buffers: Linux 5.12; before, a map does, and numbers of records (seq) may repeat on preemptible kernels"}, haveAtomics},
	{Feature{Name: "task iterator", Needed: "to take the calls of threads that sleep: Linux 5.8", Must: true},
		inKernel("bpf_iter_task")},
	{Feature{Name: "security hooks", Needed: "to see arguments as the kernel uses them: Linux 5.15 with bpf in lsm=; else arguments are read from the caller's memory when a call ends"},
		hooksCalled},
	{Feature{Name: "io_uring's tracepoints", Needed: "to see the operations of rings, with their results: Linux 6.4; before, security hooks see fewer, without results, and else none is seen"},
		ringsTraced},
	{Feature{Name: "registers of a task", Needed: "to know the call that a thread ends in: Linux 5.15; before, they are looked for where its stack begins"},
		helper(asm.FnTaskPtRegs)},
}

// types holds the kernel's types, which are read once: parsing them takes longer
// than all else here.
var types struct {
	sync.Mutex
	cache *btf.Cache
}

func typeCache() *btf.Cache {
	types.Lock()
	defer types.Unlock()
	if types.cache == nil {
		types.cache = btf.NewCache()
	}
	return types.cache
}

func kernelTypes() (*btf.Spec, error) { return typeCache().Kernel() }

// forgetTypes lets go of the kernel's types, some 5 MB that a recorder does not
// need once its programs are loaded.
func forgetTypes() {
	types.Lock()
	defer types.Unlock()
	types.cache = nil
}

func haveBTF() (string, error) {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return "", err
	}
	_, err := kernelTypes()
	return "", err
}

// helper says whether programs at tracepoints may call one of the kernel's helpers.
func helper(fn asm.BuiltinFunc) func() (string, error) {
	return func() (string, error) { return "", features.HaveProgramHelper(ebpf.RawTracepoint, fn) }
}

// inKernel says whether the kernel has a function.
func inKernel(name string) func() (string, error) {
	return func() (string, error) {
		spec, err := kernelTypes()
		if err != nil {
			return "", err
		}
		var f *btf.Func
		if err := spec.TypeByName(name, &f); err != nil {
			return "", fmt.Errorf("function %s: %w", name, ebpf.ErrNotSupported)
		}
		return "", nil
	}
}

// tracepoint says whether the kernel's types describe a tracepoint.
func tracepoint(name string) func() (string, error) {
	return func() (string, error) {
		spec, err := kernelTypes()
		if err != nil {
			return "", err
		}
		var t *btf.Typedef
		if err := spec.TypeByName("btf_trace_"+name, &t); err != nil {
			return "", fmt.Errorf("tracepoint %s: %w", name, ebpf.ErrNotSupported)
		}
		return "", nil
	}
}

// haveAtomics loads a program that takes a value and adds to it at once.
func haveAtomics() (string, error) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.RawTracepoint, License: "GPL", Instructions: asm.Instructions{
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreMem(asm.R10, -8, asm.R1, asm.DWord),
		fetchAdd(asm.R10, asm.R1, -8),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	}})
	if err != nil {
		return "", err
	}
	return "", program.Close()
}

// fetchAdd is asm.FetchAdd.Mem, which asm (v0.22.0) writes as an addition that fetches
// nothing unless the operation stands in Constant too.
func fetchAdd(dst, src asm.Register, offset int16) asm.Instruction {
	i := asm.FetchAdd.Mem(dst, src, asm.DWord, offset)
	i.Constant = int64(asm.FetchAdd >> 8)
	return i
}
