// SPDX-License-Identifier: GPL-2.0
// What is kept of a thread, and where.
//
// A call that is looked at must not cost more than a few loads, so the place is
// found without a helper: the registers that a tracepoint of calls passes lie at
// the top of the thread's kernel stack, one place for each thread that lives.
// bpf_get_current_task alone costs 8 ns where returns are mitigated (SRSO), task
// storage 14 ns more (record/BENCHMARKS.md).
#pragma once

#include "budget.h"
#include "regs.h"

#define SLOT_BUSY 1
#define SOCKADDR_MAX 112 // sun_path and all

// A thread itself appends to its calls; the lock is taken by whoever sends them,
// and nobody waits for it.
struct thread {
	u64 regs;   // address of its registers. 0: the slot is free; SLOT_BUSY
	u64 task;   // address of its task_struct; what `lock` is to try_lock
	u32 record; // its calls and events are recorded
	u32 epoch;  // when it was last looked at, with `moves`
	u32 length; // ns of that epoch, at most
	u32 moves;
	u32 n;      // calls in the chunk
	u32 sent;   // of those, already sent
	u32 lock;
	u32 chunk;  // number of the next record
	u32 state;  // enum state
	u64 leaf;   // id of the cgroup that was classified
	u64 pids;   // and of that in the pids controller's own hierarchy, if there is one
	u64 cgroup; // id of the cgroup of the container it belongs to, of the leaf on the host
	boot_ns first; // time of calls[sent]
	u32 tid;       // at calls[sent]: an exec can give a thread another
	u32 host;      // is and was no container's: the slot may be taken away
	char comm[16]; // at calls[sent]
	u32 truth;     // which of `truths` the call it is in has, from 1; 0: none
	u16 exec_call; // the call that is running a program, 0: not known
	u16 address_len;
	u8 address[SOCKADDR_MAX]; // of the socket call it is in, as the kernel has it
	u16 calls[CHUNK_MAX];
};

#define SLOTS 16384
#define SLOTS_SHIFT 18 // 32 less the bits of SLOTS
volatile const bool no_slots; // for tests

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, u32);
	__type(value, struct thread);
} slots SEC(".maps");

// Where another thread has a container's thread's slot, its task's storage serves; or,
// without that, user space makes this a hash map by the task's address.
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

static const struct thread no_thread;

#define PF_EXITING 4

// stored is what `threads` has of a task, made where it has nothing and make is set.
// A task that ends, which would not be taken out of a hash map again, gets nothing.
static __always_inline struct thread *stored(struct task_struct *task, bool make)
{
	u64 key = (u64)task;
	struct thread *t;

	if (!no_storage)
		return bpf_task_storage_get(&threads, task, NULL, make ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	t = bpf_map_lookup_elem(&threads, &key);
	if (t || !make || OF(task, flags) & PF_EXITING)
		return t;
	bpf_map_update_elem(&threads, &key, &no_thread, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads, &key);
}

// slot_at is the slot that registers at an address go by, whosever it is. Stacks
// lie 16 or 32 KiB apart; multiplying spreads both over the slots. (The verifier
// lets a pointer become a number in 32 bits only.)
static __always_inline u32 slot_number(u64 regs)
{
	return ((u32)regs >> 14) * 0x9e3779b1u >> SLOTS_SHIFT;
}

static __always_inline struct thread *slot_at(u64 regs)
{
	u32 slot = slot_number(regs);

	if (no_slots)
		return NULL;
	return bpf_map_lookup_elem(&slots, &slot);
}

// known_thread is what is kept of a task, NULL where it is nothing.
static __always_inline struct thread *known_thread(struct task_struct *task)
{
	u64 regs = (u64)user_regs(task);
	struct thread *t = slot_at(regs);

	if (t && t->regs == regs && t->task == (u64)task)
		return t;
	return stored(task, false);
}

// hand_slot gives a slot from one owner to the next, unless it has another by now.
static __always_inline bool hand_slot(struct thread *t, u64 from, u64 to, u64 lock)
{
	bool ours;

	if (!no_atomics)
		return __sync_val_compare_and_swap(&t->regs, from, to) == from;
	if (!try_lock(NULL, lock))
		return false;
	ours = t->regs == from;
	if (ours)
		t->regs = to;
	unlock(NULL, lock);
	return ours;
}

// new_thread makes a place for a task that has none. A slot on the same stack is
// of a thread whose end was missed. NULL: there is none, which for a task of the
// host is no loss.
static __always_inline struct thread *new_thread(struct task_struct *task, bool host)
{
	u64 regs = (u64)user_regs(task), owner;
	struct thread *t = slot_at(regs);

	owner = t ? t->regs : SLOT_BUSY;
	if (t && owner != SLOT_BUSY && (!owner || owner == regs || (t->host && !host)) &&
	    hand_slot(t, owner, SLOT_BUSY, LOCK_SLOT + slot_number(regs))) {
		if (owner && t->n > t->sent)
			count_lost(t->cgroup, CLASS_SEQUENCES, true);
		t->task = (u64)task;
		t->record = 0;
		t->epoch = epoch - 1; // not settled
		t->n = 0;
		t->sent = 0;
		t->lock = 0;
		t->chunk = 0;
		t->state = 0;
		t->cgroup = 0;
		t->leaf = 0;
		t->pids = 0;
		t->host = host;
		t->truth = 0;
		t->exec_call = 0;
		t->address_len = 0;
		if (no_atomics)
			t->regs = regs; // nobody else writes it while it is busy
		else
			__sync_lock_test_and_set(&t->regs, regs);
		return t;
	}
	if (host)
		return NULL;
	t = stored(task, true);
	if (t)
		t->task = (u64)task;
	else
		__sync_fetch_and_add(&uncounted, 1);
	return t;
}

// forget_thread frees the place of a task that ends.
static __always_inline void forget_thread(struct task_struct *task)
{
	u64 regs = (u64)user_regs(task), key = (u64)task;
	struct thread *t = slot_at(regs);

	if (t && t->regs == regs)
		hand_slot(t, regs, 0, LOCK_SLOT + slot_number(regs));
	if (no_storage)
		bpf_map_delete_elem(&threads, &key);
}
