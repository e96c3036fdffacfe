package feature

import (
	"strings"

	"mayfly/trace"
)

// callFamily is a kind of work that a system call belongs to.
type callFamily int

const (
	famOther callFamily = iota
	famFile
	famReadWrite
	famNetwork
	famProcess
	famMemory
	famIPC
	famSignal
	famTime
	famCredential
	famWait
	famKernel
	numFamilies
)

var familyNames = [numFamilies]string{"other", "file", "readwrite", "network", "process",
	"memory", "ipc", "signal", "time", "credential", "wait", "kernel"}

// familyReasons says why an attack moves a family.
var familyReasons = [numFamilies]string{
	famOther:      "calls of no family are rare in services; an exploit's helper program brings its own",
	famFile:       "looking around, dropping a payload and reading secrets name files (open, stat, unlink …)",
	famReadWrite:  "exfiltration and a reverse shell move bytes in a rhythm of their own",
	famNetwork:    "scanning, call-backs and spraying make sockets and connections",
	famProcess:    "a shell and its commands fork, exec, wait and exit",
	famMemory:     "loading a program maps and protects memory; so does unpacking code in place",
	famIPC:        "a shell joins commands by pipes; injected code rendezvous by shared memory",
	famSignal:     "crashing attempts and process groups of a shell bring signals",
	famTime:       "sleep loops of a beacon and timing attacks ask the time or sleep",
	famCredential: "getting or dropping privileges changes ids and capabilities",
	famWait:       "a service under flood or wedged by a denial of service waits differently",
	famKernel:     "escapes mount, change namespaces, trace, load modules and programs into the kernel",
}

var familyCalls = map[callFamily]string{
	famFile: "open openat openat2 creat close stat fstat lstat newfstatat statx access faccessat faccessat2 " +
		"unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat readlink readlinkat mkdir mkdirat rmdir " +
		"chmod fchmod fchmodat chown fchown lchown fchownat chdir fchdir getcwd getdents getdents64 truncate ftruncate " +
		"utime utimes utimensat futimesat statfs fstatfs getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr " +
		"listxattr llistxattr flistxattr fcntl flock umask mknod mknodat fsync fdatasync sync fallocate fadvise64 dup dup2 dup3 " +
		"inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fstat64 stat64 lstat64 fstatat64 chown32 fchown32",
	famReadWrite: "read write readv writev pread pwrite pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek sendfile " +
		"splice tee vmsplice copy_file_range ioctl io_uring_setup io_uring_enter io_submit io_getevents",
	famNetwork: "socket socketpair connect accept accept4 bind listen sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg " +
		"shutdown getsockname getpeername setsockopt getsockopt socketcall",
	famProcess: "fork vfork clone clone3 execve execveat exit exit_group wait4 waitid waitpid procexit prctl arch_prctl " +
		"set_tid_address set_robust_list getpid getppid gettid getpgrp getpgid setpgid setsid getsid prlimit prlimit64 getrlimit " +
		"setrlimit getrusage sched_getaffinity sched_setaffinity getpriority setpriority rseq uname sysinfo pidfd_open",
	famMemory: "mmap mmap2 munmap mprotect mremap brk madvise msync mlock munlock mlockall memfd_create mincore pkey_mprotect",
	famIPC: "pipe pipe2 shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl eventfd eventfd2 " +
		"futex mq_open mq_timedsend mq_timedreceive",
	famSignal: "kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigqueueinfo " +
		"sigaltstack pause signaldeliver sigreturn signalfd signalfd4 rt_sigpending pidfd_send_signal",
	famTime: "clock_gettime clock_getres clock_nanosleep gettimeofday time times nanosleep alarm setitimer getitimer " +
		"timer_create timer_settime timer_delete timerfd_create timerfd_settime clock_settime settimeofday adjtimex",
	famCredential: "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid getuid getgid geteuid getegid " +
		"getresuid getresgid getgroups capget capset keyctl add_key request_key",
	famWait: "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 sched_yield switch " +
		"getrandom _newselect restart_syscall",
	famKernel: "mount umount umount2 pivot_root chroot unshare setns ptrace process_vm_readv process_vm_writev init_module " +
		"finit_module delete_module bpf perf_event_open kexec_load kexec_file_load reboot swapon swapoff sethostname " +
		"setdomainname open_by_handle_at name_to_handle_at userfaultfd seccomp personality syslog acct quotactl iopl ioperm " +
		"move_mount open_tree fsopen fsmount fsconfig mount_setattr pidfd_getfd process_madvise",
}

// maxKnownCall is above every call that has a name.
const maxKnownCall = 1024

var familyTable = makeFamilyTable()

func makeFamilyTable() (table [maxKnownCall]callFamily) {
	for family, names := range familyCalls {
		for name := range strings.FieldsSeq(names) {
			if c, ok := trace.CallNumber(name); ok && c < maxKnownCall {
				table[c] = family
			}
		}
	}
	return table
}

func familyOf(c trace.Call) callFamily {
	if c < maxKnownCall {
		return familyTable[c]
	}
	return famOther
}

var callNames = makeCallNames()

func makeCallNames() (names [maxKnownCall]string) {
	for c := range names {
		names[c] = trace.CallName(trace.Call(c))
	}
	return names
}

// callName is trace.CallName without making a string for the usual calls.
func callName(c trace.Call) string {
	if c < maxKnownCall {
		return callNames[c]
	}
	return trace.CallName(c)
}
