package bpf

import (
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Missing says what to do without although the kernel has it, so that each
// fallback can be tested on a kernel that lacks nothing.
type Missing struct {
	Hooks bool // security hooks: arguments as the kernel uses them
	Rings bool // io_uring's tracepoints: its operations with their results
	Slots bool // the array of threads: each in its task's storage
	Casts bool // addresses given a type: each field is read by a call
	Regs  bool // the helper that finds a task's registers: they are looked for where its stack begins

	TypedTask bool // the current task as a typed pointer: each of its fields is read by a call
	Storage   bool // task storage: a hash map by the task's address
	Atomics   bool // atomics that return something, and pointers passed to global functions: see old.go
}

// hook is what cannot be seen without the program at a security hook.
type hook struct {
	call string // of calls
	ring string // of io_uring's operations, where RingSubmitted is not there either
}

const (
	atEnd  = " as the caller's memory says at the end of the call"
	noRing = "none of io_uring's"
)

var hooks = map[string]hook{
	MayflyProgHookUnlink:    {"unlink: path" + atEnd, "unlink: " + noRing},
	MayflyProgHookRmdir:     {"rmdir: path" + atEnd, "rmdir: " + noRing},
	MayflyProgHookRename:    {"rename: paths" + atEnd, "rename: " + noRing},
	MayflyProgHookLink:      {"link: paths" + atEnd, "link: " + noRing},
	MayflyProgHookSymlink:   {"symlink: paths" + atEnd, "symlink: " + noRing},
	MayflyProgHookChmod:     {call: "chmod: path" + atEnd},
	MayflyProgHookChown:     {call: "chown: path" + atEnd},
	MayflyProgHookMount:     {call: "mount: source, target and type" + atEnd},
	MayflyProgHookMoveMount: {call: "move_mount: paths" + atEnd},
	MayflyProgHookUmount:    {call: "umount: path" + atEnd},
	MayflyProgHookModule:    {call: "module_load: file by its descriptor at the end of the call"},
	MayflyProgHookOpen:      {ring: "open: " + noRing},
	MayflyProgHookConnect:   {"connect: address of one that failed" + atEnd, "connect: " + noRing},
	MayflyProgHookBind:      {"bind: address of one that failed" + atEnd, "bind: " + noRing},
	MayflyProgHookListen:    {ring: "listen: " + noRing},
	MayflyProgHookAccept:    {ring: "accept: " + noRing},
	MayflyProgHookExec:      {call: "exec: whether the caller's path was changed under the kernel's hands"},
}

// hookThere says whether a program can be loaded for a security hook. One that is
// passed a struct (chown's user) wants a kernel that takes such programs: Linux 6.1.
func hookThere(name string) bool {
	spec, err := kernelTypes()
	if err != nil {
		return false
	}
	var f *btf.Func
	if err := spec.TypeByName("bpf_lsm_"+name, &f); err != nil {
		return false
	}
	proto, ok := f.Type.(*btf.FuncProto)
	if !ok || !slices.ContainsFunc(proto.Params, func(p btf.FuncParam) bool {
		_, is := btf.As[*btf.Struct](p.Type)
		return is
	}) {
		return ok
	}
	program, err := emptyHook(name)
	if err != nil {
		return false
	}
	return program.Close() == nil
}

// emptyHook loads a program at a security hook that does nothing.
func emptyHook(name string) (*ebpf.Program, error) {
	return ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: name,
		License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
}

// drop takes out of spec what the kernel lacks, or is to be done without, and
// returns what cannot be seen therefore.
func (m Missing) drop(spec *ebpf.CollectionSpec) (blind []string) {
	lacks := func(*ebpf.ProgramSpec) bool { return true }
	if !m.Hooks {
		if _, err := hooksCalled(); err == nil {
			lacks = func(p *ebpf.ProgramSpec) bool { return !hookThere(p.AttachTo) }
		}
	}
	traced := m.traceRings(spec)
	for name, what := range hooks {
		if !lacks(spec.Programs[name]) {
			continue
		}
		delete(spec.Programs, name)
		if what.call != "" {
			blind = append(blind, what.call)
		}
		if what.ring != "" && !traced {
			blind = append(blind, what.ring)
		}
	}
	if !traced {
		blind = append(blind, "io_uring: results of its operations")
	}
	for name, missing := range map[string]bool{MayflyVarNoSlots: m.Slots, MayflyVarNoCasts: m.Casts, MayflyVarNoTaskRegs: m.Regs,
		MayflyVarNoTypedTask: m.TypedTask, MayflyVarNoStorage: m.Storage, MayflyVarNoAtomics: m.Atomics} {
		_ = spec.Variables[name].Set(missing) // all are bool
	}
	if m.Storage {
		storeByAddress(spec)
	}
	if m.Atomics {
		takeAtomics(spec)
		blind = append(blind, "seq: two records of a container may have one number where the kernel preempts programs")
	}
	return blind
}

// look adds to m what the kernel lacks.
func (m Missing) look() Missing {
	lacks := func(find func() (string, error)) bool {
		_, err := find()
		return err != nil
	}
	m.TypedTask = m.TypedTask || lacks(helper(asm.FnGetCurrentTaskBtf))
	m.Storage = m.Storage || m.TypedTask || lacks(helper(asm.FnTaskStorageGet)) // it wants such a pointer,
	m.Regs = m.Regs || m.TypedTask                                              // and so does that
	m.Atomics = m.Atomics || lacks(haveAtomics)
	return m
}

// hooksCalled says whether the kernel runs programs at security hooks: it may let
// them be attached and never call them, where "bpf" is not among its security
// modules. It attaches an empty one, opens a file and looks whether that ran.
func hooksCalled() (detail string, err error) {
	if _, err := inKernel("bpf_lsm_file_open")(); err != nil {
		return "", err
	}
	program, err := emptyHook("file_open")
	if err != nil {
		return "", fmt.Errorf("security hook: %w", err)
	}
	defer func() { _ = program.Close() }()
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return "", fmt.Errorf("statistics of programs: %w", err)
	}
	defer func() { _ = stats.Close() }()
	l, err := link.AttachLSM(link.LSMOptions{Program: program})
	if err != nil {
		return "", fmt.Errorf("security hook: %w", err)
	}
	defer func() { _ = l.Close() }()
	f, err := os.Open(os.DevNull)
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	ran, err := program.Stats()
	if err != nil {
		return "", fmt.Errorf("statistics of a program: %w", err)
	}
	if ran.RunCount == 0 {
		return "", fmt.Errorf("security hooks are never called: add bpf to the kernel's lsm= parameter")
	}
	return "", nil
}
