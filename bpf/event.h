// SPDX-License-Identifier: GPL-2.0
// Putting an event together: a fixed head, then sections of varying length, in
// a scratch buffer, copied to the ring at its true length.
#pragma once

#include "budget.h"
#include "task.h"

#define BODY_MAX 12288  // a section starts below this
#define BODY_GUARD 4352 // and is at most this long
#define TEXT_MAX 4096
#define SCRATCHES 4

struct scratch {
	u32 busy;
	u32 len; // of body
	// Where add_path stands. Kept here and not in registers: what the verifier
	// does not know of them, it need not tell apart on each turn of the loop.
	u64 dentry;
	u64 mnt;
	u32 path_len;
	u32 hooked; // begun by a hook, with what the kernel uses
	u64 lock;   // what `busy` is to try_lock
	u64 args[8]; // of the call, from 1
	struct event head;
	u8 body[BODY_MAX + BODY_GUARD];
};

// A program can be preempted in the middle of an event by another task's, on the
// same CPU; so there are a few buffers per CPU, each taken by compare-and-swap.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCHES);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

// class_of puts a kind into its class: security events are rare in a program
// that works, and tell most of an attack.
static __always_inline u32 class_of(u32 kind)
{
	switch (kind) {
	case KIND_EXIT:
	case KIND_FORK:
	case KIND_OPEN:
	case KIND_UNLINK:
	case KIND_RENAME:
	case KIND_LINK:
	case KIND_CHMOD:
	case KIND_CHOWN:
	case KIND_ACCEPT:
		return CLASS_EVENTS;
	}
	return CLASS_SECURITY;
}

static __noinline void fill_head(struct event *e, struct thread *t, struct task_struct *task,
				 u32 kind)
{
	struct cred *cred = OF(task, cred);

	e->time = bpf_ktime_get_boot_ns();
	e->cgroup = t->cgroup;
	e->start = OF(OF(task, group_leader), start_boottime);
	e->ret = 0;
	e->flags = 0;
	e->arg = 0;
	e->mode = 0;
	e->target = 0;
	e->pid = OF(task, tgid);
	e->tid = OF(task, pid);
	e->ppid = OF(OF(task, real_parent), tgid);
	e->uid = OF(cred, euid.val);
	e->gid = OF(cred, egid.val);
	e->kind = kind;
	e->class = class_of(kind);
	e->call = 0xffff;
	e->via = VIA_CALL;
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), &task->comm);
}

// What the kernel uses in a call is seen while it runs, its result when it ends;
// in between the event waits here. Where all are taken, the event has what the
// caller's memory says.
#define TRUTHS 128

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TRUTHS);
	__type(key, u32);
	__type(value, struct scratch);
} truths SEC(".maps");

// take_truth returns what a hook has begun for the call of a thread, or NULL.
static __always_inline struct scratch *take_truth(struct thread *t)
{
	u32 slot = t->truth - 1;

	if (!t->truth)
		return NULL;
	t->truth = 0;
	return bpf_map_lookup_elem(&truths, &slot);
}

// drop_truth forgets what a hook has begun, of a call that never ends.
static __always_inline void drop_truth(struct thread *t)
{
	struct scratch *s = take_truth(t);

	if (s)
		unlock(&s->busy, s->lock);
}

// begin_truth gives the call of a thread a place. NULL: it has one, so that of
// hooks in hooks (a file of an overlay, then the one below) the first counts; or
// there is none.
static __noinline struct scratch *begin_truth(struct thread *t)
{
	if (t->truth)
		return NULL;
	for (u32 i = 0; i < 4; i++) {
		u32 slot = ((u32)t->task * 0x9e3779b1u + i * 31) & (TRUTHS - 1);
		struct scratch *s = bpf_map_lookup_elem(&truths, &slot);

		if (!s || !try_lock(&s->busy, LOCK_TRUTH + slot))
			continue;
		s->lock = LOCK_TRUTH + slot;
		s->len = 0;
		s->hooked = 1;
		s->head.via = VIA_CALL;
		t->truth = slot + 1;
		return s;
	}
	return NULL;
}

// take_scratch takes a buffer for an event. NULL: the event is lost, and counted.
static __noinline struct scratch *take_scratch(struct thread *t, u32 kind)
{
	u64 lock = LOCK_SCRATCH + bpf_get_smp_processor_id() * SCRATCHES;

	for (u32 i = 0; i < SCRATCHES; i++) {
		u32 slot = i;
		struct scratch *s = bpf_map_lookup_elem(&scratches, &slot);

		if (!s)
			break;
		if (!try_lock(&s->busy, lock + i))
			continue;
		s->lock = lock + i;
		s->len = 0;
		s->hooked = 0;
		return s;
	}
	count_lost(t->cgroup, class_of(kind), true);
	return NULL;
}

// event_begin takes a buffer and fills the head. NULL: the event is lost, and
// counted, or its container is not wanted.
static __always_inline struct scratch *event_begin(struct thread *t, struct task_struct *task,
						   u32 kind)
{
	struct scratch *s = take_truth(t);

	if (unwanted(t)) {
		if (s)
			unlock(&s->busy, s->lock);
		return NULL;
	}
	if (!s)
		s = take_scratch(t, kind);
	if (s)
		fill_head(&s->head, t, task, kind);
	return s;
}

// event_end sends the event and gives the buffer back.
__noinline int event_end(struct scratch *s)
{
	u32 class, len;
	u64 filled;
	long err = -1;

	if (!s)
		return 0;
	stir();
	class = s->head.class;
	len = s->len;
	if (len > BODY_MAX + BODY_GUARD)
		len = BODY_MAX + BODY_GUARD;
	len += sizeof(s->head);
	s->head.cpu = bpf_get_smp_processor_id();
	s->head.number = number_record(s->head.cgroup, class);
	if (class == CLASS_SECURITY) {
		filled = bpf_ringbuf_query(&security, BPF_RB_AVAIL_DATA);
		if (admit(s->head.cgroup, CLASS_SECURITY, len, filled))
			err = bpf_ringbuf_output(&security, &s->head, len, wake(CLASS_SECURITY, filled, len));
	} else {
		filled = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
		if (admit(s->head.cgroup, CLASS_EVENTS, len, filled))
			err = bpf_ringbuf_output(&events, &s->head, len, wake(CLASS_EVENTS, filled, len));
	}
	if (err)
		count_lost(s->head.cgroup, class, false);
	unlock(&s->busy, s->lock);
	return 0;
}

// room returns where the next section's contents go: at least BODY_GUARD less
// four bytes. NULL: the body is full.
static __always_inline u8 *room(struct scratch *s)
{
	u32 off;

	if (!s) // never; but a global function's argument may be NULL to the verifier
		return NULL;
	off = s->len;
	if (off > BODY_MAX)
		return NULL;
	return s->body + off + sizeof(struct section_head);
}

// section_end puts the head before contents of len bytes written at room().
static __always_inline void section_end(struct scratch *s, u32 type, u32 len, u32 flags)
{
	u32 off = s->len;
	struct section_head *h;

	if (off > BODY_MAX || len > BODY_GUARD - sizeof(*h))
		return;
	h = (struct section_head *)(s->body + off);
	h->type = type;
	h->flags = flags;
	h->len = len;
	s->len = off + sizeof(*h) + ((len + 3) & ~3U);
}

// add_name adds a NUL-terminated string of the kernel's, without its NUL, and
// returns its first character.
__noinline int add_name(struct scratch *s, u32 type, u64 addr)
{
	u8 *to = room(s);
	long n;

	if (!to || !addr)
		return 0;
	n = bpf_probe_read_kernel_str(to, TEXT_MAX, (void *)addr);
	if (n < 1 || n > TEXT_MAX)
		return 0;
	section_end(s, type, n - 1, n == TEXT_MAX ? SECTION_CUT : 0);
	return to[0];
}

// add_text adds a NUL-terminated string of the caller's memory, without its NUL.
__noinline int add_text(struct scratch *s, u32 type, u64 addr)
{
	u8 *to = room(s);
	long n;

	if (!to || !addr)
		return 0;
	n = bpf_probe_read_user_str(to, TEXT_MAX, (void *)addr);
	if (n < 1 || n > TEXT_MAX)
		return 0;
	section_end(s, type, n - 1, n == TEXT_MAX ? SECTION_CUT : 0);
	return to[0];
}
