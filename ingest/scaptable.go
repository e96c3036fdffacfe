package ingest

import (
	"strings"

	"mayfly/trace"
)

// Event types of sysdig and Falco captures. Each call, and each other thing, has
// two numbers, 2i for its begin and 2i+1 for its end; old versions keep theirs.
// Since version 1.2 of the format parameters are only ever added at the end, and
// what is new gets a new number. Source: falcosecurity/libs, driver/event_table.c
// and ppm_events_public.h (up to setregid, 2025).
//
// scapNames has the names by i, with the kernel's name of the call where libs
// has another. Names in capitals are no calls.
var scapNames = strings.Fields(`
GENERIC open close read write brk execve clone PROCEXIT socket bind connect listen accept sendto sendto recvfrom recvfrom
shutdown getsockname getpeername socketpair setsockopt getsockopt sendmsg sendmmsg recvmsg recvmmsg accept4 creat pipe
eventfd2 futex stat lstat fstat stat64 lstat64 fstat64 epoll_wait poll select select lseek _llseek ioctl getcwd chdir
fchdir mkdir rmdir openat link linkat unlink unlinkat pread64 pwrite64 readv writev preadv pwritev dup signalfd kill tkill
tgkill nanosleep timerfd_create inotify_init getrlimit setrlimit prlimit64 SWITCH DROP fcntl SWITCH execve clone brk mmap
mmap2 munmap splice ptrace ioctl execve rename renameat symlink symlinkat fork vfork PROCEXIT sendfile quotactl setresuid
setresgid SCAPEVENT setuid setgid getuid geteuid getgid getegid getresuid getresgid execve clone fork vfork clone fork
vfork CONTAINER execve SIGNALDELIVER PROCINFO getdents getdents64 setns flock CPU_HOTPLUG accept accept4 semop semctl
ppoll mount umount2 K8S semget access chroot TRACER MESOS CONTAINER_JSON setsid mkdir rmdir NOTIFICATION execve unshare
INFRASTRUCTURE execve PAGE_FAULT execve setpgid bpf seccomp unlink unlinkat mkdirat openat link linkat fchmodat chmod
fchmod renameat2 userfaultfd PLUGIN CONTAINER_JSON openat2 mprotect execveat copy_file_range clone3 open_by_handle_at
io_uring_setup io_uring_enter io_uring_register mlock munlock mlockall munlockall capset USER_ADDED USER_DELETED
GROUP_ADDED GROUP_DELETED dup2 dup3 dup bpf mlock2 fsconfig epoll_create epoll_create1 chown lchown fchown fchownat umount
accept4 umount2 pipe2 inotify_init1 eventfd2 signalfd4 prctl ASYNC memfd_create pidfd_getfd pidfd_open init_module
finit_module mknod mknodat newfstatat process_vm_readv process_vm_writev delete_module setreuid setregid`)

// The types, halved, whose parameters are read by place.
const (
	scapGeneric      = 0
	scapProcexitOld  = 8
	scapOpenatOld    = 51
	scapLinkOld      = 52
	scapLinkatOld    = 53
	scapUnlinkOld    = 54
	scapUnlinkatOld  = 55
	scapRmdirOld     = 50
	scapDrop         = 74
	scapProcexit     = 93
	scapContainerOld = 136
	scapContainer    = 162
)

// scapCall is what is made of a type, halved.
type scapCall struct {
	name   string
	number uint16 // on x86-64 or, for arm64, another table's; of a call
	isCall bool
	begin  bool // the end of the call wants the parameters of its begin
	event  func(*scapEvent) error
}

// makeScapCalls returns the calls of a machine by type, halved.
func makeScapCalls(machine string) []scapCall {
	calls := make([]scapCall, len(scapNames))
	for i, name := range scapNames {
		c := scapCall{name: name, isCall: strings.ToLower(name) == name, event: scapEvents[name]}
		if n, ok := trace.CallOn(machine, name); ok {
			c.number = n
		} else {
			c.number = unknownNumber
		}
		c.begin = c.event != nil || i == scapGeneric
		calls[i] = c
	}
	return calls
}

// scapFlags translates flags that the driver numbers by itself.
type scapFlags []struct{ theirs, ours int64 }

func (f scapFlags) of(n int64) (bits int64) {
	for _, bit := range f {
		if n&bit.theirs == bit.theirs {
			bits |= bit.ours
		}
	}
	return bits
}

// scapOpenFlags are PPM_O_ (ppm_events_public.h).
var scapOpenFlags = scapFlags{
	{1 << 2, 0o100}, {1 << 3, 0o2000}, {1 << 4, 0o10000}, {1 << 5, 0o200}, {1 << 6, 0o4000}, {1 << 7, 0o4010000},
	{1 << 8, 0o1000}, {1 << 9, 0o40000}, {1 << 10, 0o200000}, {1 << 11, 0o100000}, {1 << 12, 0o2000000},
	{1 << 13, 0o20200000},
}

// openFlags translates the flags of open: what is read and written is a number
// there too, but another one.
func openFlags(n int64) int64 {
	bits := scapOpenFlags.of(n)
	switch n & 3 {
	case 2:
		bits |= 1 // O_WRONLY
	case 3:
		bits |= 2 // O_RDWR
	}
	return bits
}

// scapCloneFlags are PPM_CL_CLONE_.
var scapCloneFlags = scapFlags{
	{1 << 0, 0x400}, {1 << 1, 0x200}, {1 << 2, 0x80000000}, {1 << 3, 0x8000000}, {1 << 4, 0x40000000}, {1 << 5, 0x20000},
	{1 << 6, 0x20000000}, {1 << 7, 0x4000000}, {1 << 8, 0x8000}, {1 << 9, 0x100000}, {1 << 10, 0x2000}, {1 << 11, 0x800},
	{1 << 12, 0x40000}, {1 << 13, 0x10000}, {1 << 14, 0x800000}, {1 << 15, 0x100}, {1 << 20, 0x10000000},
	{1 << 23, 0x200000}, {1 << 24, 0x1000000}, {1 << 25, 0x80000}, {1 << 27, 0x4000}, {1 << 28, 0x2000000},
}

// scapPtrace are the requests PPM_PTRACE_ by their numbers.
var scapPtrace = strings.Fields(`UNKNOWN TRACEME PEEKTEXT PEEKDATA PEEKUSER POKETEXT POKEDATA POKEUSER CONT KILL SINGLESTEP
ATTACH DETACH SYSCALL SETOPTIONS GETEVENTMSG GETSIGINFO SETSIGINFO GETREGSET SETREGSET SEIZE INTERRUPT LISTEN PEEKSIGINFO
GETSIGMASK SETSIGMASK GETREGS SETREGS GETFPREGS SETFPREGS GETFPXREGS SETFPXREGS`)

// Bits of the execve parameter "flags" (PPM_EXE_).
const (
	scapExeUpper = 1 << 1
	scapExeMemfd = 1 << 2
	scapExeLower = 1 << 3
)

// scapRuntimes names the types of containers (sinsp_container_type).
var scapRuntimes = []string{"docker", "lxc", "libvirt-lxc", "mesos", "rkt", "", "cri", "containerd", "cri-o", "bpm", "",
	"podman"}
