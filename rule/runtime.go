package rule

// everyProgram is what any program may need without ever being seen to: the ends
// of processes and signals, and what the kernel itself resumes with.
var everyProgram = []string{"exit", "exit_group", "restart_syscall", "rt_sigreturn"}

// runtimeCalls is what the runtime calls between loading the filter and running
// the workload's program.
var runtimeCalls = []string{
	"capget", "capset", "chdir", "clone", "close", "close_range", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait",
	"execve", "faccessat", "faccessat2", "fchdir", "fchown", "fcntl", "fstat", "fstatfs", "futex", "getcwd", "getdents64", "getpid",
	"getppid", "gettid", "getuid", "lseek", "madvise", "mmap", "mprotect", "munmap", "nanosleep", "newfstatat", "openat",
	"openat2", "pipe2", "prctl", "pread64", "read", "readlinkat", "rt_sigaction", "rt_sigprocmask", "sched_getaffinity", "sched_yield",
	"setgid", "setgroups", "setuid", "sigaltstack", "statfs", "statx", "tgkill", "write",
}
