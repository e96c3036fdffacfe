// SPDX-License-Identifier: GPL-2.0
// What kernels before 5.12 lack, and what is done instead. User space sets the
// switches by what the kernel has (missing.go); a branch that is not taken is gone
// before the kernel compiles the program, so on others all of this costs nothing.
#pragma once

#include "mayfly.h"

volatile const bool no_typed_task; // bpf_get_current_task_btf: Linux 5.11
volatile const bool no_storage;    // task storage for programs at tracepoints: Linux 5.12
volatile const bool no_atomics;    // atomics that return something: Linux 5.12

static __always_inline struct task_struct *current_task(void)
{
	return no_typed_task ? (struct task_struct *)bpf_get_current_task() : bpf_get_current_task_btf();
}

// OF is a field of what the kernel passed, or of what current_task returned.
#define OF(P, FIELD)                                        \
	({                                                  \
		__auto_type object = (P);                   \
		typeof(object->FIELD) field;                \
		if (no_typed_task)                          \
			field = BPF_CORE_READ(object, FIELD); \
		else                                        \
			field = object->FIELD;              \
		field;                                      \
	})

// Locks that are held, where atomics cannot hold them: to put a key into a map that
// does not have it is what only one of several can do.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u32);
} locks SEC(".maps");

// What a lock is of: below these a number, and of a thread its task's address.
#define LOCK_SLOT (1ULL << 32)
#define LOCK_TRUTH (2ULL << 32)
#define LOCK_SCRATCH (3ULL << 32)

// try_lock takes a lock that nobody waits for. false: somebody has it.
static __always_inline bool try_lock(u32 *lock, u64 id)
{
	u32 one = 1;

	if (!no_atomics)
		return __sync_val_compare_and_swap(lock, 0, 1) == 0;
	return bpf_map_update_elem(&locks, &id, &one, BPF_NOEXIST) == 0;
}

static __always_inline void unlock(u32 *lock, u64 id)
{
	if (!no_atomics)
		__sync_lock_test_and_set(lock, 0);
	else
		bpf_map_delete_elem(&locks, &id);
}

// add_to adds to a number and returns what it was. Without atomics two that add at
// the same time may be told the same; the sum is right all the same.
static __always_inline u64 add_to(u64 *number, u64 n)
{
	u64 was;

	if (!no_atomics)
		return __sync_fetch_and_add(number, n);
	was = *number;
	__sync_fetch_and_add(number, n);
	return was;
}
