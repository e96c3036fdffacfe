// SPDX-License-Identifier: GPL-2.0
// Who may put how much into a ring, and the count of what each container put in.
//
// A ring is shared by all containers of the host, so one that floods it could
// blind the recorder to all others. Therefore what a container sends is weighed:
// up to half of a ring is anybody's; the third quarter is for containers that
// lately sent no more than an eighth of the ring; the last quarter for those
// that sent no more than a 64th. A flood stops itself at half of the ring, and
// what it cannot send is its own loss. Beside that there is a budget by time,
// which bounds what a container can cost the reader and the disk.
#pragma once

#include "range.h"

// Sending is weighed over this many epochs: the weight of what was sent before
// is halved each time. No epoch passes while the reader stands still, so then
// nobody regains a share that nobody has read.
#define HALF_LIFE 4

#define SPELL 1000000000ULL // refusals this far apart are two spells of throttling

struct ring_size {
	u32 size;   // bytes, a power of two
	u32 wakeup; // bytes waiting before the reader is woken
	u64 budget; // bytes of one container within about two half-lives; 0: no bound
};

volatile const struct ring_size ring_sizes[CLASSES];

struct budget {
	u64 sent; // bytes lately, halved every HALF_LIFE epochs; refused ones too
	u32 epoch;
	u32 pad;
	boot_ns since; // begin of the latest spell of refusals
	boot_ns last;  // its latest refusal
};

struct count_key {
	u64 cgroup;
	u32 class;
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct count_key);
	__type(value, struct budget);
} budgets SEC(".maps");

struct count {
	u64 produced;
	u64 lost;
};

// One count per CPU: a record's number among its container's records of that
// class on that CPU is what `produced` was before it.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct count_key);
	__type(value, struct count);
} counts SEC(".maps");

// count_of returns a container's count of a class on this CPU; NULL where the
// map is full.
static __always_inline struct count *count_of(struct count_key *key)
{
	struct count *c = bpf_map_lookup_elem(&counts, key);

	if (!c) {
		struct count zero = {};

		bpf_map_update_elem(&counts, key, &zero, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&counts, key);
	}
	return c;
}

// number_record counts one more record of a class as produced and returns its
// number.
static __always_inline u64 number_record(u64 cgroup, u32 class)
{
	struct count_key key = {.cgroup = cgroup, .class = class};
	struct count *c = count_of(&key);

	return c ? add_to(&c->produced, 1) : 0;
}

// count_lost says that a numbered record, or one that got none (unnumbered), is
// not in its ring.
static __noinline int count_lost(u64 cgroup, u32 class, bool unnumbered)
{
	struct count_key key = {.cgroup = cgroup, .class = class};
	struct count *c = count_of(&key);

	if (!c) {
		__sync_fetch_and_add(&uncounted, 1);
	} else {
		if (unnumbered)
			__sync_fetch_and_add(&c->produced, 1);
		__sync_fetch_and_add(&c->lost, 1);
	}
	__sync_fetch_and_add(&news, 1); // when it is counted
	stir();
	return 0;
}

static __always_inline void refuse(struct budget *b)
{
	boot_ns now = bpf_ktime_get_boot_ns();

	if (now - b->last > SPELL)
		b->since = now;
	b->last = now;
	__sync_fetch_and_add(&news, 1);
}

// admit says whether a container may put bytes more into the ring of a class,
// of which filled bytes are waiting for the reader. Threads of a container on
// several CPUs may halve its weight at the same time; that is as good.
static __noinline int admit(u64 cgroup, u32 class, u32 bytes, u64 filled)
{
	struct count_key key = {.cgroup = cgroup, .class = class};
	struct budget *b;
	u64 size, sent, most;
	u32 halvings;

	if (class >= CLASSES)
		return 0;
	size = ring_sizes[class].size;
	b = bpf_map_lookup_elem(&budgets, &key);
	if (!b) {
		struct budget zero = {.epoch = epoch};

		bpf_map_update_elem(&budgets, &key, &zero, BPF_NOEXIST);
		b = bpf_map_lookup_elem(&budgets, &key);
		if (!b)
			return filled < size / 2;
	}
	halvings = (epoch - b->epoch) / HALF_LIFE;
	if (halvings) {
		b->epoch += halvings * HALF_LIFE;
		b->sent = halvings < 64 ? b->sent >> halvings : 0;
	}
	sent = add_to(&b->sent, bytes) + bytes;
	most = ring_sizes[class].budget;
	if (!most)
		most = ~0ULL;
	if (filled >= size / 4 * 3 && most > size / 64)
		most = size / 64;
	else if (filled >= size / 2 && most > size / 8)
		most = size / 8;
	if (sent <= most)
		return 1;
	refuse(b);
	return 0;
}

// wake returns the flags to submit bytes more with: the reader is woken when much
// waits, and again each time that a 16th of that is added while it has not come. (To
// wake it is an interrupt of this CPU's own, in an event that is otherwise a
// microsecond's work, and one wakes it as well as all that follow do.)
static __always_inline u64 wake(u32 class, u64 filled, u64 bytes)
{
	u64 much = ring_sizes[class].wakeup, step = much / 16;

	if (filled < much || (step && filled / step == (filled + bytes) / step))
		return BPF_RB_NO_WAKEUP;
	return BPF_RB_FORCE_WAKEUP;
}
