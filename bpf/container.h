// SPDX-License-Identifier: GPL-2.0
// Which container does a cgroup belong to? Each is classified once, by its name and
// the names of those above it.
#pragma once

#include "thread.h"

#define NAME_MAX_LEN 128
#define ABOVE_MAX 512
#define ANCESTORS 16

// Each hierarchy numbers its cgroups by itself, so what is 4711 in one is another's
// in the next. Ids of the pids controller's own hierarchy have this bit more; of
// the other hierarchies of v1 none is looked at.
#define PIDS_BIT (1ULL << 62)

// verdicts has each cgroup that was classified: the id of its container's cgroup,
// 0 for none. An id is never used again.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} verdicts SEC(".maps");

struct container {
	boot_ns first; // first call seen
	boot_ns gone;  // its cgroup was removed
	char name[NAME_MAX_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct container);
} containers SEC(".maps");

// Where a container stands: the names of the cgroups above its own, innermost
// first, each with its NUL, as far as they fit. They name its pod, and the
// containers that it is nested in. User space takes them out once it has read them.
struct place {
	char above[ABOVE_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct place);
} places SEC(".maps");

static const struct place nowhere;

// Containers of which user space wants nothing more.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, u32);
} deselected SEC(".maps");

// unwanted says whether the container of a task has been deselected; then the
// task is not recorded any more. A recorded task asks once per record.
static __always_inline bool unwanted(struct thread *t)
{
	if (!selective || !bpf_map_lookup_elem(&deselected, &t->cgroup))
		return false;
	t->record = 0;
	return true;
}

// The pids controller's number depends on which others the kernel was built with.
#define PIDS_CONTROLLER bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id)

// pids_cgroup is the task's cgroup in the pids controller's v1 hierarchy.
static __always_inline struct cgroup *pids_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	u64 at = bpf_core_field_offset(struct css_set, subsys) + PIDS_CONTROLLER * sizeof(void *);
	struct cgroup_subsys_state *state = NULL;

	bpf_probe_read_kernel(&state, sizeof(state), (void *)set + at);
	return BPF_CORE_READ(state, cgroup);
}

// cgroup_of is the id of the task's cgroup in the default hierarchy, or on a host
// that keeps containers in v1 hierarchies only, in that of the pids controller.
// 0: a task in a root cgroup, which is never a container's.
static __always_inline u64 cgroup_of(struct task_struct *task)
{
	struct css_set *set = OF(task, cgroups);
	struct cgroup *cgroup = OF(set, dfl_cgrp);

	if (OF(cgroup, level) > 0)
		return OF(OF(cgroup, kn), id);
	if (cgroup_v1) {
		struct cgroup *pids = pids_cgroup(task);

		if (BPF_CORE_READ(pids, level) > 0)
			return BPF_CORE_READ(pids, kn, id) | PIDS_BIT;
	}
	return record_host ? OF(OF(cgroup, kn), id) : 0;
}

static __always_inline bool conmon_at(const char *name)
{
	return name[0] == 'c' && name[1] == 'o' && name[2] == 'n' && name[3] == 'm';
}

static __always_inline bool pod_at(const char *name)
{
	return name[0] == '_' && name[1] == 'p' && name[2] == 'o' && name[3] == 'd' && name[4] == '_';
}

// All bits for a hex digit: a table, because branches on each character of a
// name would be more ways than the verifier follows.
static const u8 hex_digits[256] = {
	['0' ... '9'] = 0xff,
	['a' ... 'f'] = 0xff,
};

// names_container looks for a container's id in a cgroup's name: a run of 64
// hex digits, whatever stands around it (docker-<id>.scope, <id>, crio-<id>.scope).
// The monitors that podman and CRI-O keep beside a container are none, and podman's
// pods (machine-libpod_pod_<id>.slice, user-…, libpod_pod_<id>) are none. (It is
// global so that the verifier follows its loop once, not for each ancestor.)
__noinline int names_container(struct container *c)
{
	const char *name;
	u32 run = 0, found = 0;

	if (!c) // never; but a global function's argument may be NULL to the verifier
		return 0;
	name = c->name;

	for (int i = 0; i < NAME_MAX_LEN; i++) {
		run = (run + 1) & hex_digits[(u8)name[i]];
		found |= run & 64;
	}
	return found && !conmon_at(name + 7) && !conmon_at(name + 5) && !pod_at(name + 14) &&
	       !pod_at(name + 11) && !pod_at(name + 6);
}

// keep_place notes the names above a container's cgroup, once.
__noinline int keep_place(u64 id, u64 addr)
{
	struct cgroup *cgroup = (struct cgroup *)addr;
	struct place *p;
	u32 off = 0;

	bpf_map_update_elem(&places, &id, &nowhere, BPF_NOEXIST);
	p = bpf_map_lookup_elem(&places, &id);
	if (!p)
		return 0;
	for (int i = 0; i < ANCESTORS; i++) {
		long n;

		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
		if (!cgroup || !BPF_CORE_READ(cgroup, level) || off > ABOVE_MAX - NAME_MAX_LEN)
			return 0;
		n = bpf_probe_read_kernel_str(p->above + off, NAME_MAX_LEN, BPF_CORE_READ(cgroup, kn, name));
		if (n < 1 || n > NAME_MAX_LEN)
			return 0;
		off += n;
	}
	return 0;
}

// meet notes a container by its cgroup. Its name stays in `containers` until
// user space has read it, however short the container's life.
static __always_inline u64 meet(struct cgroup *cgroup, struct container *c, u64 bit)
{
	u64 id = BPF_CORE_READ(cgroup, kn, id) | bit;

	if (bpf_map_lookup_elem(&containers, &id) ||
	    (selective && bpf_map_lookup_elem(&deselected, &id)))
		return id;
	keep_place(id, (u64)cgroup); // first: whoever finds the container finds its place
	c->first = bpf_ktime_get_boot_ns();
	bpf_map_update_elem(&containers, &id, c, BPF_NOEXIST);
	__sync_fetch_and_add(&news, 1);
	stir();
	return id;
}

// classify finds out whose a cgroup is: the innermost ancestor's that is named
// like a container's, 0 for nobody's. bit is its hierarchy's. (It and keep_place take addresses and are
// global so that the verifier looks at them once, not at each place of use.)
__noinline u64 classify(u64 addr, u64 bit)
{
	struct cgroup *cgroup = (struct cgroup *)addr;
	struct container c = {};

	for (int i = 0; i < ANCESTORS; i++) {
		if (!BPF_CORE_READ(cgroup, level))
			return 0;
		bpf_probe_read_kernel_str(c.name, sizeof(c.name), BPF_CORE_READ(cgroup, kn, name));
		if (names_container(&c))
			return meet(cgroup, &c, bit);
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
		if (!cgroup)
			return 0;
	}
	return 0;
}

// verdict is what classify says of a cgroup, remembered.
static __noinline u64 verdict(u64 addr, u64 bit)
{
	struct cgroup *cgroup = (struct cgroup *)addr;
	u64 id = BPF_CORE_READ(cgroup, kn, id) | bit, *known, container;

	known = bpf_map_lookup_elem(&verdicts, &id);
	if (known)
		return *known;
	container = classify(addr, bit);
	bpf_map_update_elem(&verdicts, &id, &container, 0);
	return container;
}

// container_of_task is the id of the cgroup of a task's container, 0 for none. On
// a host with v1 hierarchies a runtime may have made the container's cgroup there
// alone, and left the task in its own service's cgroup of the default hierarchy.
static __noinline u64 container_of_task(struct task_struct *task)
{
	u64 container = cgroup_v1 ? verdict((u64)pids_cgroup(task), PIDS_BIT) : 0;

	return container ?: verdict((u64)BPF_CORE_READ(task, cgroups, dfl_cgrp), 0);
}
