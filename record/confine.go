package record

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"mayfly/bpf"
	"mayfly/record/privilege"
	"mayfly/record/runtimes"
)

// keepable are the capabilities that a recorder keeps where it does not work
// without: bpf(2) wants one for each call before Linux 5.19 with
// kernel.unprivileged_bpf_disabled, and a directory may belong to another user.
var keepable = []int{unix.CAP_SYS_ADMIN, unix.CAP_PERFMON, unix.CAP_BPF, unix.CAP_DAC_OVERRIDE}

// confine gives up what a running recorder does not need, once its programs are
// attached and /proc has been read. See package privilege.
func (r *recorder) confine() error {
	if !r.opts.Confine {
		return nil
	}
	keep, err := privilege.Needed(keepable, r.tryWork)
	if err != nil {
		return fmt.Errorf("give up privileges: %w", err)
	}
	network := slices.ContainsFunc(r.opts.Runtimes, func(s runtimes.Source) bool { return !strings.HasPrefix(s.Address, "unix://") })
	if err := privilege.Confine(keep, privilege.Calls{Network: network}); err != nil {
		return fmt.Errorf("give up privileges: %w", err)
	}
	r.opts.Log.Info("confined", "capabilities", keep.String())
	return nil
}

// tryWork does once what the recorder does for hours.
func (r *recorder) tryWork() error {
	key := bpf.MayflyCountKey{Cgroup: ^uint64(0), Class: ^uint32(0)}
	var value []bpf.MayflyCount
	_, uncounted := r.probes.Uncounted()
	lookup := r.probes.Counts.Lookup(&key, &value)
	remove := r.probes.Counts.Delete(&key)
	for _, err := range []*error{&lookup, &remove} {
		if errors.Is(*err, ebpf.ErrKeyNotExist) {
			*err = nil
		}
	}
	err := errors.Join(uncounted, lookup, remove, r.probes.FlushIdle())
	for _, dir := range append([]string{r.opts.Dir}, r.opts.WriteDirs...) {
		err = errors.Join(err, tryWrite(dir))
	}
	return err
}

// tryWrite makes a file in dir and removes it.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".mayfly-try-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
