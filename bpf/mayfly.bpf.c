//go:build ignore

// SPDX-License-Identifier: GPL-2.0
// The kernel side of mayfly's recorder: which container a task belongs to, its
// system calls as sequences, and selected calls as events with arguments.
// One header per probe; mayfly.h has what the reader shares.

#include "sequence.h"
#include "process.h"
#include "call.h"
#include "hook.h"
#include "uring.h"
#include "idle.h"

// Named here so that bpf2go writes their Go types.
const struct event *unused_event __attribute__((unused));
const struct sequence *unused_sequence __attribute__((unused));
const struct sock_names *unused_sock_names __attribute__((unused));
const struct exe_file *unused_exe_file __attribute__((unused));

char __license[] SEC("license") = "GPL";

#define GENERATIONS 256

// first_mounts is the mount namespace of the first process of the machine.
static __always_inline u64 first_mounts(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	for (int i = 0; i < GENERATIONS; i++) {
		if (BPF_CORE_READ(task, tgid) == 1)
			break;
		task = BPF_CORE_READ(task, real_parent);
	}
	return (u64)BPF_CORE_READ(task, nsproxy, mnt_ns);
}

// whoami is run once by the recorder, which may live in a pid namespace and so
// not know its own number here. Once before anything is attached, and again
// when everything is: until then it is known of no task how it came to where it is.
// (An iterator, because it runs in whoever reads it, on every kernel.)
SEC("iter/task")
int whoami(struct bpf_iter__task *ctx)
{
	boot_ns now = bpf_ktime_get_boot_ns();

	if (ctx->task)
		return 0; // once is enough: at the end of the list
	if (self_tgid)
		attached = now;
	self_tgid = bpf_get_current_pid_tgid() >> 32;
	assumed_until = now + ASSUMED_NS;
	host_mounts = first_mounts();
	return 0;
}
