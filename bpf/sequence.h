// SPDX-License-Identifier: GPL-2.0
// Every system call of every recorded thread, as runs of call numbers.
//
// Hook: tp_btf/sys_enter, which costs the least of all hooks that see every
// call, and runs with preemption off. A call costs one store; a time is taken
// and a record written once per chunk. Calls that seccomp or a tracer refused
// before the tracepoint are not seen.
#pragma once

#include "task.h"

static __always_inline u64 sequences_flags(void)
{
	if (bpf_ringbuf_query(&sequences, BPF_RB_AVAIL_DATA) >= sequences_wakeup)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

static __always_inline void fill_sequence(struct sequence *s, struct thread *t,
					  struct task_struct *task, u32 n)
{
	boot_ns end = bpf_ktime_get_boot_ns();

	// No call of an older epoch was made after that epoch ended.
	if (t->epoch != epoch) {
		boot_ns last = t->first + epoch_length;

		if (t->epoch + 1 == epoch)
			last = epoch_start;
		if (last > t->first && last < end)
			end = last;
	}
	s->time = t->first;
	s->end = end;
	s->cgroup = t->cgroup;
	s->start = BPF_CORE_READ(task, group_leader, start_boottime);
	s->chunk = t->chunk;
	s->pid = task->tgid;
	s->tid = task->pid;
	s->n = n;
	bpf_probe_read_kernel(s->comm, sizeof(s->comm), &task->comm);
}

// Ring records have a constant size, so there are three, the smallest that fits.
#define DEFINE_SEND(CAP)                                                             \
	struct sequence_##CAP {                                                      \
		struct sequence head;                                                \
		u16 calls[CAP];                                                      \
	};                                                                           \
	static __noinline int send_##CAP(struct thread *t, struct task_struct *task, \
					 u32 from, u32 n)                            \
	{                                                                            \
		struct sequence_##CAP *s;                                            \
										     \
		if (from >= CHUNK_MAX || n > CAP)                                    \
			return 0;                                                    \
		s = bpf_ringbuf_reserve(&sequences, sizeof(*s), 0);                  \
		count(t->cgroup, CLASS_SEQUENCES, !s);                               \
		if (!s)                                                              \
			return 0;                                                    \
		fill_sequence(&s->head, t, task, n);                                 \
		bpf_probe_read_kernel(s->calls, n * sizeof(u16), &t->calls[from]);   \
		bpf_ringbuf_submit(s, sequences_flags());                            \
		return 0;                                                            \
	}
DEFINE_SEND(16)
DEFINE_SEND(120)
DEFINE_SEND(192)

// flush sends what a chunk holds. Only one side sends at a time: a side that
// finds the lock taken leaves the calls where they are. Chunk numbers count
// lost records too, so a reader sees the gap.
static __noinline int flush(struct thread *t, struct task_struct *task, bool owner)
{
	u32 n, sent;

	if (__sync_val_compare_and_swap(&t->lock, 0, 1) != 0)
		return 0;
	n = t->n;
	sent = t->sent;
	if (n > sent && n <= CHUNK_MAX) {
		u32 len = n - sent;

		if (len <= 16)
			send_16(t, task, sent, len);
		else if (len <= 120)
			send_120(t, task, sent, len);
		else
			send_192(t, task, sent, len);
		t->chunk++;
	}
	if (owner) {
		t->n = 0;
		t->sent = 0;
	} else {
		t->sent = n;
		t->first = bpf_ktime_get_boot_ns(); // for a call that is being added now
	}
	__sync_lock_test_and_set(&t->lock, 0);
	return 1;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *t = thread_of(task);
	bool compat;
	u32 n;

	if (!t)
		return 0;
	if (t->epoch != epoch) {
		if (t->n)
			flush(t, task, true);
		t->epoch = epoch;
	}
	n = t->n;
	if (n >= CHUNK_MAX) { // full, and somebody else is still sending it
		if (!flush(t, task, true)) {
			count(t->cgroup, CLASS_SEQUENCES, true);
			__sync_fetch_and_add(&t->chunk, 1);
			return 0;
		}
		n = 0;
	}
	if (n == t->sent)
		t->first = bpf_ktime_get_boot_ns();
	compat = is_compat(task);
	t->calls[n] = (id & 0x7fff) | (compat ? COMPAT_CALL : 0);
#if defined(__TARGET_ARCH_x86)
	asm volatile("" ::: "memory"); // stores are seen in order
	t->n = n + 1;
#else
	__sync_fetch_and_add(&t->n, 1); // a full barrier before the count
#endif
	if (n + 1 >= CHUNK || (!compat && (id == call_execve || id == call_execveat)))
		flush(t, task, true);
	return 0;
}

// Threads that sleep do not flush their chunk themselves. User space reads this
// iterator about once a second, and at the end (then with a new epoch, so that
// nothing is left behind).
SEC("iter/task")
int flush_idle(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread *t;

	if (!task)
		return 0;
	t = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!t || !t->record || t->n == t->sent || t->epoch == epoch)
		return 0;
	flush(t, task, false);
	return 0;
}
