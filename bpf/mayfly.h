// SPDX-License-Identifier: GPL-2.0
// What the kernel side and its reader share: records, maps, counters. The Go
// side decodes records by the offsets of these structs (record/decode.go); all
// fields are little-endian and naturally aligned.
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

typedef __u64 boot_ns; // ns since boot, suspend included

#define CHUNK 120   // calls of one sequence record
#define CHUNK_MAX 192 // with the slack that is used while a reader holds the chunk
#define COMPAT_CALL 0x8000

enum kind {
	KIND_NONE, KIND_EXEC, KIND_EXIT, KIND_FORK, KIND_OPEN, KIND_UNLINK, KIND_RENAME,
	KIND_LINK, KIND_CHMOD, KIND_CHOWN, KIND_CONNECT, KIND_BIND, KIND_LISTEN, KIND_ACCEPT,
	KIND_SETUID, KIND_SETGID, KIND_CAPSET, KIND_MOUNT, KIND_UMOUNT, KIND_PTRACE,
	KIND_MODULE_LOAD, KIND_BPF, KIND_MEMFD_CREATE, KIND_UNSHARE, KIND_SETNS,
};

// A section of an event's body: its head, then len bytes, then zeros up to the
// next multiple of four.
enum section {
	SECTION_FILE = 1,   // components of the path of a file that the kernel holds
	SECTION_PATH = 2,   // the caller's path, as it stood in its memory
	SECTION_BASE = 3,   // components of what a relative SECTION_PATH starts from
	SECTION_PATH2 = 4,  // as PATH and BASE, for the second path
	SECTION_BASE2 = 5,
	SECTION_CWD = 6,    // components
	SECTION_ARGV = 7,   // NUL-terminated strings
	SECTION_FSTYPE = 8, // of a mount
	SECTION_SOCKADDR = 9, // the caller's struct sockaddr
	SECTION_SOCK = 10,  // struct sock_names, from the kernel's socket
	SECTION_UNIX_LOCAL = 11, // sun_path, without its terminator
	SECTION_UNIX_PEER = 12,
	SECTION_EXE = 13,   // struct exe_file
	SECTION_FILE2 = 14, // as FILE, for the second path
	SECTION_NAME = 15,  // the kernel's copy of a text: of a link's target, a mount's source, a program's path
	SECTION_ADDRESS = 16, // the kernel's copy of the struct sockaddr
};

// Flags of a section.
#define SECTION_CUT 1      // longer than what is here
#define SECTION_DETACHED 2 // of a file without a directory: a memfd, a socket, a pipe
#define SECTION_OUTSIDE 4  // from the root of its mounts, which the task's root is not above

// How a call came.
enum via { VIA_CALL, VIA_COMPAT, VIA_IO_URING };

struct section_head {
	u8 type;
	u8 flags;
	u16 len;
};

struct event {
	u64 number; // of the container's records of this class on this CPU
	boot_ns time;
	u64 cgroup;
	boot_ns start; // of the process
	s64 ret;
	u64 flags;
	u64 arg;
	u32 mode;
	s32 target;
	u32 pid, tid, ppid, uid, gid;
	u16 kind;
	u16 call; // system call number, 0xffff where the event is none
	u16 cpu;
	u16 class;
	u8 via; // enum via
	u8 pad[3];
	char comm[16];
};

struct sequence {
	u64 number; // as in struct event
	boot_ns time; // of the first call
	boot_ns end;
	u64 cgroup;
	boot_ns start; // of the process
	u32 chunk;
	u32 pid, tid;
	u16 n;
	u16 cpu;
	char comm[16];
};

struct sock_names {
	u16 family;
	u16 local_port; // host byte order
	u16 peer_port;
	u16 pad;
	u8 local[16]; // IPv4: the first four bytes
	u8 peer[16];
};

struct exe_file {
	u64 ctime_sec; // of the inode, since 1970
	u32 ctime_nsec;
	u32 nlink;
	u32 upper; // 1: overlayfs keeps it in the container's own layer
	u32 overlay;
};

// How to read the arguments of a system call: which argument (1 to 6) is what,
// 0 for none. Filled in by user space, by the machine's own call numbers.
struct call {
	u8 kind;
	u8 path, dir;   // path and the directory descriptor it is relative to
	u8 path2, dir2;
	u8 flags, mode, arg, target;
	u8 fd;          // a descriptor that stands for the path
	u8 option;      // see below
	u8 pad;
};
#define OPTION_HOW 1     // openat2: arg 3 points to struct open_how
#define OPTION_ARGV 2    // arg `arg` is an argv
#define OPTION_FSTYPE 3  // arg 3 names a file system
#define OPTION_TEXT 4    // the path is a name, not a path
#define OPTION_SOCKET 5  // on a socket: descriptor, sockaddr, length

#define CALLS 512
volatile const struct call calls[2 * CALLS]; // this machine's, then those of its 32-bit table

// What the end of a call asks for besides a place in the sequence, by number.
enum special {
	SPECIAL_NONE,
	SPECIAL_EVENT, // calls[] says what
	SPECIAL_FORK,  // a 0 is what the child sees, which made no such call
	SPECIAL_EXEC,  // as EVENT where it failed; else process.h has seen it
};
volatile const u8 special[CALLS];
#define COMPAT_FORK 2 // 32-bit x86, whose numbers are not this machine's
#define COMPAT_VFORK 190
#define COMPAT_CLONE 120
#define COMPAT_CLONE3 435
#define COMPAT_SIGRETURN 173
#define COMPAT_EXECVE 11
#define COMPAT_SOCKETCALL 102
#define CALL_IO_URING_ENTER 426 // in every table
#define COMPAT_EXECVEAT 358
#define ENOSYS 38

// Switches, set before loading.
volatile const bool record_host;  // --all
volatile const bool record_setup; // what runtimes do before a container's first program
volatile const bool selective;    // user space may deselect containers
volatile const bool cgroup_v1;    // the pids controller has a hierarchy of its own
volatile const bool ring_traced; // uring.h is there
volatile const u32 call_execve, call_execveat, call_sigreturn;

u32 self_tgid; // the recorder itself
boot_ns attached = ~0ULL; // everything was: tasks that began later were seen being born
boot_ns assumed_until; // task.h
u64 host_mounts;  // address of the first process's mount namespace
u32 detached;     // nothing is attached any more: take the calls that threads are blocked in
u32 epoch;     // user space counts on; a chunk of an older epoch is flushed
boot_ns epoch_start;
u64 epoch_length; // ns, at most
u32 moves;     // of tasks between cgroups
u32 stirred;   // something happened that is of interest; user space sets it back
u32 quiet;     // the reader sleeps until it is woken; whoever wakes it sets it back
u32 news;      // counts what changes in containers, and losses and refusals
u64 uncounted; // records lost that not even `counts` had room for

// Each class of record has a ring of its own. Rare events that tell most of an
// attack do not share theirs with those that any program makes by the thousand.
enum class { CLASS_EVENTS, CLASS_SEQUENCES, CLASS_SECURITY, CLASSES };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} sequences SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 << 20);
} security SEC(".maps");

// stir says that there is something to do for the reader, and wakes it where it
// sleeps because nothing was recorded for a while: by a record that is none.
static __noinline int stir(void)
{
	void *nothing;

	if (stirred)
		return 0;
	__sync_fetch_and_add(&stirred, 1); // a full barrier before the look at quiet
	if (!quiet)
		return 0;
	quiet = 0; // a second one that saw it wakes the reader once more, which is no harm
	nothing = bpf_ringbuf_reserve(&sequences, 8, 0);
	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
	return 0;
}
