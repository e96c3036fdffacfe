// SPDX-License-Identifier: GPL-2.0
// Every system call of every recorded thread, as runs of call numbers.
//
// A call is appended when it ends (call.h, at sys_exit); one that never ends, when
// its thread does (process.h). A call costs one store; a time is taken and a
// record written once per chunk.
#pragma once

#include "budget.h"
#include "task.h"
#include "regs.h"

static __always_inline void fill_sequence(struct sequence *s, struct thread *t,
					  struct task_struct *task, u32 n)
{
	boot_ns end = bpf_ktime_get_boot_ns();

	// No call of an older epoch was made after that epoch ended.
	if (t->epoch != epoch) {
		boot_ns last = t->first + t->length;

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
	s->pid = OF(task, tgid);
	s->tid = t->tid;
	s->n = n;
	__builtin_memcpy(s->comm, t->comm, sizeof(s->comm));
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
		struct sequence_##CAP *s = NULL;                                     \
		u64 filled, number;                                                  \
										     \
		if (from >= CHUNK_MAX || n > CAP)                                    \
			return 0;                                                    \
		filled = bpf_ringbuf_query(&sequences, BPF_RB_AVAIL_DATA);           \
		number = number_record(t->cgroup, CLASS_SEQUENCES);                  \
		if (admit(t->cgroup, CLASS_SEQUENCES, sizeof(*s), filled))           \
			s = bpf_ringbuf_reserve(&sequences, sizeof(*s), 0);          \
		if (!s)                                                              \
			return count_lost(t->cgroup, CLASS_SEQUENCES, false);        \
		fill_sequence(&s->head, t, task, n);                                 \
		s->head.number = number;                                             \
		s->head.cpu = bpf_get_smp_processor_id();                            \
		bpf_probe_read_kernel(s->calls, n * sizeof(u16), &t->calls[from]);   \
		bpf_ringbuf_submit(s, wake(CLASS_SEQUENCES, filled, sizeof(*s)));    \
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

	if (!try_lock(&t->lock, t->task))
		return 0;
	n = t->n;
	sent = t->sent;
	if (n > sent && n <= CHUNK_MAX && !unwanted(t)) {
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
	unlock(&t->lock, t->task);
	return 1;
}

// chunk_begin notes what a record says of its first call.
static __noinline int chunk_begin(struct thread *t, struct task_struct *task)
{
	t->first = bpf_ktime_get_boot_ns();
	t->tid = OF(task, pid);
	bpf_probe_read_kernel(t->comm, sizeof(t->comm), &task->comm);
	return 0;
}

// append_edge is what append leaves to it: the first and the last of a chunk.
static __noinline int append_edge(struct thread *t, u16 call)
{
	struct task_struct *task = current_task();
	u32 n = t->n;

	if (n >= CHUNK_MAX) { // full, and somebody else is still sending it
		if (!flush(t, task, true)) {
			count_lost(t->cgroup, CLASS_SEQUENCES, true);
			__sync_fetch_and_add(&t->chunk, 1);
			return 0;
		}
		n = 0;
	}
	if (n == t->sent)
		chunk_begin(t, task);
	t->calls[n] = call;
	__sync_fetch_and_add(&t->n, 1); // a full barrier before the count
	if (n + 1 >= CHUNK)
		flush(t, task, true);
	return 0;
}

// append adds a call of the current thread that has ended.
static __always_inline void append(struct thread *t, u16 call)
{
	u32 n = t->n;

	if (n == t->sent || n >= CHUNK - 1) {
		append_edge(t, call);
		return;
	}
	t->calls[n] = call;
#if defined(__TARGET_ARCH_x86)
	asm volatile("" ::: "memory"); // stores are seen in order
	t->n = n + 1;
#else
	__sync_fetch_and_add(&t->n, 1);
#endif
}

#define TASK_SLEEPS 3 // interruptibly or not
#define TASK_STATES 0x7f // that a task can be in while it sleeps, besides flags
#define JOBCTL_TRAP_FREEZE (1UL << 23)
#define PF_FROZEN 0x10000 // before 6.1

// blocked_call is the call that a task sleeps in, -1 where it is in none: it runs,
// was stopped or frozen on its way back to the program, or waits for a page.
static __always_inline s32 blocked_call(struct task_struct *task)
{
	struct pt_regs *regs = user_regs(task);
	u64 state;

	if (bpf_core_field_exists(task->__state))
		state = BPF_CORE_READ(task, __state);
	else
		state = BPF_CORE_READ((struct task_struct___5_13 *)task, state);
	if (!(state & TASK_SLEEPS) || state & TASK_STATES & ~TASK_SLEEPS || OF(task, on_cpu) ||
	    OF(task, jobctl) & JOBCTL_TRAP_FREEZE || OF(task, flags) & (PF_WORKERS | PF_FROZEN))
		return -1;
	return call_number(regs);
}

// append_blocked adds the call that another thread is blocked in. Nothing is
// attached any more, so that thread appends none.
static __noinline int append_blocked(struct thread *t, struct task_struct *task, u16 call)
{
	u32 n = t->n;

	if (n >= CHUNK_MAX)
		return 0;
	if (n == t->sent)
		chunk_begin(t, task);
	t->calls[n] = call;
	t->n = n + 1;
	return 0;
}
