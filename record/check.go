package record

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrCannotRecord is matched by errors that say that this machine, or this
// user on it, cannot record, and what to do about it.
var ErrCannotRecord = errors.New("cannot record here")

func cannot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCannotRecord, fmt.Sprintf(format, args...))
}

// capabilities that recording needs, with the bit of each.
var needed = []struct {
	bit  uint
	name string
	why  string
}{
	{unix.CAP_BPF, "CAP_BPF", "to load programs"},
	{unix.CAP_PERFMON, "CAP_PERFMON", "to read kernel memory from them"},
}

// Check says whether this process can record here; the error names the first
// thing that is missing.
func Check() error {
	if os.Geteuid() != 0 {
		return cannot("recording needs root; run it as root, for example with sudo")
	}
	var header = unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	has := func(bit uint) bool { return sets[bit/32].Effective&(1<<(bit%32)) != 0 }
	for _, c := range needed {
		if !has(c.bit) && !has(unix.CAP_SYS_ADMIN) {
			return cannot("%s is missing, which is needed %s; in a container, add it or run privileged", c.name, c.why)
		}
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return cannot("the kernel has no type information (/sys/kernel/btf/vmlinux); use a kernel built with CONFIG_DEBUG_INFO_BTF=y")
	}
	return nil
}

// kernelRelease is the running kernel's, as uname -r prints it.
func kernelRelease() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
