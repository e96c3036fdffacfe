package bpf

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// mustLoad loads the programs, or ends a test that cannot do so here.
func mustLoad(t *testing.T, opts Options) *Probes {
	t.Helper()
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	if reason := "needs root and a kernel with BTF"; os.Geteuid() != 0 || err != nil {
		if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	p, err := Load(opts)
	var refused *ebpf.VerifierError
	if errors.As(err, &refused) {
		t.Fatalf("%+v", refused)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestLoad wants the verifier to take the programs with every switch, and the
// kernel to attach them.
func TestLoad(t *testing.T) {
	for _, host := range []bool{false, true} {
		opts := DefaultOptions()
		opts.Host, opts.Setup, opts.Selective = host, host, host
		p := mustLoad(t, opts)
		if err := p.Attach(); err != nil {
			t.Errorf("host %v: %v", host, err)
		}
		for range 2 {
			if err := p.NextEpoch(1, time.Second); err != nil {
				t.Error(err)
			}
			if err := p.FlushIdle(); err != nil {
				t.Error(err)
			}
		}
		if n, err := p.Uncounted(); n != 0 || err != nil {
			t.Errorf("host %v: %d records uncounted (%v), want 0", host, n, err)
		}
		if err := p.Detach(); err != nil {
			t.Error(err)
		}
	}
}

// TestCalls wants each call to have a number on the machines that have it, below
// the size of the kernel side's table.
func TestCalls(t *testing.T) {
	for name, info := range machines {
		known := 0
		for _, c := range calls {
			n, ok := info.SyscallNames[c.name]
			if ok && n >= 512 {
				t.Errorf("%s: %s has number %d, want below 512", name, c.name, n)
			}
			if ok {
				known++
			}
		}
		if known < 39 { // arm64 has no open, unlink, rename …, only their *at forms
			t.Errorf("%s: %d of %d calls are known", name, known, len(calls))
		}
	}
}

// TestLoadWithout wants the verifier to take the programs with each thing missing that
// an old kernel lacks, and with all of them. It follows what it can reach, so it
// refuses a program that would still use one of the atomics that were taken out.
func TestLoadWithout(t *testing.T) {
	old := Missing{Hooks: true, Rings: true, Casts: true, Regs: true, TypedTask: true, Storage: true, Atomics: true}
	for name, without := range map[string]Missing{
		"typed task": {TypedTask: true}, "storage": {Storage: true}, "atomics": {Atomics: true}, "all": old,
	} {
		t.Run(name, func(t *testing.T) {
			opts := DefaultOptions()
			opts.Without = without
			if err := mustLoad(t, opts).Attach(); err != nil {
				t.Error(err)
			}
		})
	}
}
