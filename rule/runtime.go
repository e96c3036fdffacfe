package rule

import (
	"slices"
	"strings"
)

// everyProgram is what any program may need without ever being seen to: the ends
// of processes and signals, and what the kernel itself resumes with.
var everyProgram = []string{"exit", "exit_group", "restart_syscall", "rt_sigreturn"}

// runtimeCalls is what the runtime calls between loading the filter and the
// workload's program.
//
// needed was found by experiment with runc 1.1.5 under Docker 20.10.24 on Linux
// x86-64: a profile of some 100 calls was shrunk until a static program that only
// writes and exits no longer started; as root, with --user, with a working
// directory, a mount and a read-only root, and with no-new-privileges (where runc
// loads the filter last and needs close, execve, fstatfs, futex, getdents64,
// openat, write and writev alone).
//
// margin is what the Go runtime in runc and other versions of runc, crun and the
// kernel call there at times: a thread more, a stop of the garbage collector, a
// descriptor closed in another way, the standard streams given to the user.
var runtimeCalls = slices.Concat(needed, margin)

// initCalls is what an init between the runtime and the workload makes: tini, which
// docker run --init starts (0.19, static with the GNU C library), and catatonit,
// podman's. They start under the container's filter, and fail with the first call
// that it does not have.
var initCalls = strings.Fields(`arch_prctl brk clone execve getegid geteuid getgid getpgrp getpgid getpid getrandom getuid kill
mprotect pause poll ppoll prctl prlimit64 readlink readlinkat rseq rt_sigaction rt_sigprocmask rt_sigtimedwait
set_robust_list set_tid_address setpgid signalfd4 vfork wait4 waitid write`)

// terminalCalls is what programs make with docker run -t that they did not make
// without a terminal; see terminalCommands for what of it.
var terminalCalls = []string{"ioctl"}

var needed = []string{
	"capget", "capset", "chdir", "close", "execve", "faccessat2", "fstat", "fstatfs", "futex", "getcwd",
	"getdents64", "getppid", "newfstatat", "openat", "prctl", "read", "set_tid_address", "setgid", "setgroups",
	"setuid", "write", "writev",
}

var margin = []string{
	"clone", "clone3", "close_range", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait", "faccessat", "fchdir", "fchown",
	"fcntl", "getpid", "gettid", "getuid", "lseek", "madvise", "mmap", "mprotect", "munmap", "nanosleep", "openat2",
	"pipe2", "readlinkat", "rt_sigaction", "rt_sigprocmask", "sched_getaffinity", "sched_yield", "sigaltstack", "statx",
	"tgkill",
}
