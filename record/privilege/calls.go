package privilege

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// Calls says which system calls a confined process may make.
//
// What a recorder makes is allowed (see allowed). What only an intruder would make
// (fatal) kills the process: there is nothing to lose that a torn file's salvage
// does not bring back, and everything to lose by going on. Any other call is
// refused with EPERM and logged by the kernel: a call that a rare path or a later
// Go makes and that nobody foresaw then is an error that somebody reads, not the
// end of the recording.
type Calls struct {
	Network bool // new connections over IP, as to a runtime's tcp:// address
}

// allowed are the calls of a running recorder, seen with strace under load with
// rotation, Docker, metrics and signals, and what their neighbours on other
// kernels and the Go runtime (runtime/sys_linux_*.s, internal/poll) make.
var allowed = strings.Fields(`
	read write readv writev pread64 pwrite64 lseek close fstat newfstatat stat lstat statx fstatfs statfs
	openat open readlink readlinkat getdents64 access faccessat faccessat2 fcntl getcwd
	mkdir mkdirat rename renameat renameat2 unlink unlinkat rmdir link linkat fsync fdatasync sync_file_range
	syncfs ftruncate fallocate fadvise64 flock fchmod fchmodat umask utimensat copy_file_range sendfile splice
	mmap munmap mprotect madvise mincore mremap brk
	rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending sigaltstack restart_syscall
	futex futex_waitv nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time sched_yield sched_getaffinity
	set_robust_list get_robust_list rseq membarrier getrandom gettid getpid getppid exit exit_group
	getuid geteuid getgid getegid getgroups getrusage uname sysinfo times capget
	timer_create timer_settime timer_delete setitimer
	epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2 pipe2 poll ppoll select pselect6
	connect accept accept4 shutdown sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg getsockname getpeername setsockopt
	getsockopt`)

// fatal are calls that no part of a recorder makes once it records.
var fatal = strings.Fields(`execve execveat ptrace process_vm_readv process_vm_writev kexec_load kexec_file_load
	init_module finit_module delete_module mount umount2 pivot_root chroot setns unshare move_mount open_tree fsopen
	fsmount mount_setattr keyctl add_key request_key perf_event_open userfaultfd reboot swapon swapoff
	iopl ioperm acct settimeofday clock_settime quotactl syslog pidfd_getfd open_by_handle_at process_madvise`)

// bpfCommands are the commands of bpf(2) on maps, links and programs that are there.
var bpfCommands = []uint64{unix.BPF_MAP_LOOKUP_ELEM, unix.BPF_MAP_UPDATE_ELEM, unix.BPF_MAP_DELETE_ELEM,
	unix.BPF_MAP_GET_NEXT_KEY, unix.BPF_MAP_LOOKUP_AND_DELETE_ELEM, unix.BPF_MAP_LOOKUP_BATCH,
	unix.BPF_MAP_LOOKUP_AND_DELETE_BATCH, unix.BPF_MAP_UPDATE_BATCH, unix.BPF_MAP_DELETE_BATCH,
	unix.BPF_OBJ_GET_INFO_BY_FD, unix.BPF_ITER_CREATE, unix.BPF_LINK_DETACH}

const setVMA = 0x53564d41 // PR_SET_VMA: the Go runtime names its memory

// install puts the filter on all threads (SECCOMP_FILTER_FLAG_TSYNC).
func (c Calls) install() error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // no_new_privs and the filter must meet on one thread
	defer runtime.UnlockOSThread()
	err = seccomp.LoadFilter(filter)
	if errors.Is(err, syscall.EINVAL) { // before 4.14: no logging
		filter.Flag = seccomp.FilterFlagTSync
		err = seccomp.LoadFilter(filter)
	}
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		return fmt.Errorf("filter of system calls: %w: the call seccomp is forbidden here; allow it (systemd: SystemCallFilter=), or keep all privileges with --no-confine", err)
	}
	if err != nil {
		return fmt.Errorf("filter of system calls: %w", err)
	}
	return nil
}

func (c Calls) filter() (seccomp.Filter, error) {
	machine, err := arch.GetInfo("")
	if err != nil {
		return seccomp.Filter{}, fmt.Errorf("filter of system calls: %w", err)
	}
	known := func(calls []string) (here []string) {
		for _, name := range calls {
			if _, ok := machine.SyscallNames[name]; ok { // an old call is missing on newer machines
				here = append(here, name)
			}
		}
		return here
	}
	only := func(name string, argument uint32, op seccomp.Operation, values ...uint64) (out []seccomp.NameWithConditions) {
		for _, v := range values {
			out = append(out, seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{
				{Argument: argument, Operation: op, Value: v}}})
		}
		return out
	}
	families := []uint64{unix.AF_UNIX}
	if c.Network {
		families = append(families, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)
	}
	groups := []seccomp.SyscallGroup{
		{Action: seccomp.ActionAllow, Names: known(allowed)},
		{Action: seccomp.ActionKillProcess, Names: known(fatal)},
	}
	// Conditions come last, each call in a group of its own: once the library has
	// loaded an argument it goes on to compare that, not the call's number, with the
	// numbers that follow.
	for _, conditions := range [][]seccomp.NameWithConditions{
		only("bpf", 0, seccomp.Equal, bpfCommands...),
		only("socket", 0, seccomp.Equal, families...),
		only("clone", 0, seccomp.BitsSet, unix.CLONE_THREAD),
		only("tgkill", 0, seccomp.Equal, uint64(os.Getpid())), // the Go runtime interrupts its own threads
		only("prctl", 0, seccomp.Equal, setVMA, unix.PR_SET_NAME),
		only("ioctl", 1, seccomp.Equal, unix.TIOCGWINSZ, unix.TCGETS),
	} {
		groups = append(groups, seccomp.SyscallGroup{Action: seccomp.ActionAllow, NamesWithCondtions: conditions})
	}
	return seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync | seccomp.FilterFlagLog,
		Policy:     seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: groups},
	}, nil
}
