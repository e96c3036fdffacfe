package bpf

import (
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// threadsMax bounds the threads that a hash map has room for.
const threadsMax = 65536

// storeByAddress makes a hash map, by the task's address, of the one in the storage of
// tasks.
func storeByAddress(spec *ebpf.CollectionSpec) {
	m := spec.Maps[MayflyMapThreads]
	m.Type, m.KeySize, m.Key, m.MaxEntries = ebpf.Hash, 8, nil, threadsMax
}

// fetches says whether an instruction is an atomic that returns something. A kernel
// before 5.12 refuses a program that has one, also where it is never reached.
func fetches(i asm.Instruction) bool {
	switch i.OpCode.AtomicOp() {
	case asm.InvalidAtomic, asm.AddAtomic, asm.AndAtomic, asm.OrAtomic, asm.XorAtomic:
		return false
	}
	return true
}

// takeAtomics puts, in place of each atomic that returns something, a load that no
// kernel lets a program reach: of a place above the stack. All stand where no_atomics,
// which is set, leaves them out.
//
// It also makes global functions static that are passed pointers, which 5.12 allows.
func takeAtomics(spec *ebpf.CollectionSpec) {
	for _, program := range spec.Programs {
		for i := range program.Instructions {
			in := &program.Instructions[i]
			if fetches(*in) {
				unreachable := asm.LoadMem(asm.R0, asm.R10, 8, asm.DWord)
				unreachable.Metadata = in.Metadata
				*in = unreachable
			}
			if f := btf.FuncMetadata(in); f != nil && i > 0 && passedPointers(f) {
				f.Linkage = btf.StaticFunc
			}
		}
	}
}

func passedPointers(f *btf.Func) bool {
	proto, ok := f.Type.(*btf.FuncProto)
	return ok && slices.ContainsFunc(proto.Params, func(p btf.FuncParam) bool {
		_, pointer := p.Type.(*btf.Pointer)
		return pointer
	})
}
