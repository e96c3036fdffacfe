package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// traceRings keeps the programs at io_uring's tracepoints in spec, or takes them
// out where the kernel lacks what they need, and says whether they are there.
// Where they are, programs at security hooks leave io_uring to them.
func (m Missing) traceRings(spec *ebpf.CollectionSpec) bool {
	_, err := ringsTraced()
	if m.Rings || m.Atomics || err != nil { // they lock what they hold by atomics
		delete(spec.Programs, MayflyProgRingSubmitted)
		delete(spec.Programs, MayflyProgRingCompleted)
		return false
	}
	_ = spec.Variables[MayflyVarRingTraced].Set(true)
	_ = spec.Variables[MayflyVarRingResult].Set(passesResult())
	return true
}

// ringsTraced says whether io_uring's tracepoints are there, and its requests keep
// their operations' data where bpf/uring.h looks for them.
func ringsTraced() (detail string, err error) {
	for _, name := range []string{"io_uring_submit_req", "io_uring_complete"} {
		if detail, err := tracepoint(name)(); err != nil {
			return detail, err
		}
	}
	spec, err := kernelTypes()
	if err != nil {
		return "", err
	}
	for _, name := range []string{"io_kiocb", "io_cmd_data", "io_open", "io_unlink", "io_rename", "io_link", "io_connect", "io_accept"} {
		var s *btf.Struct
		if err := spec.TypeByName(name, &s); err != nil {
			return "", fmt.Errorf("type %s: %w", name, ebpf.ErrNotSupported)
		}
	}
	return "", nil
}

// passesResult says whether io_uring_complete passes a struct io_uring_cqe, as
// since Linux 6.16, and not the values in it.
func passesResult() bool {
	spec, err := kernelTypes()
	if err != nil {
		return false
	}
	var t *btf.Typedef
	if err := spec.TypeByName("btf_trace_io_uring_complete", &t); err != nil {
		return false
	}
	p, ok := t.Type.(*btf.Pointer)
	if !ok {
		return false
	}
	f, ok := p.Target.(*btf.FuncProto)
	return ok && len(f.Params) == 4 // the first is the tracepoint's own
}
