// SPDX-License-Identifier: GPL-2.0
// Whose task is this? A cgroup is classified once. The answer for a thread is kept
// with it, and asked again once in each epoch and after any task of the machine
// was moved to another cgroup.
#pragma once

#include "thread.h"

#define NAME_MAX_LEN 128
#define ABOVE_MAX 512
#define ANCESTORS 16

// A runtime prepares a container from within its cgroup: it mounts, changes its
// identity, and at last execs the container's program. Those steps are the
// runtime's, so a thread that came into the cgroup from outside is not recorded
// before its process execs (unless record_setup says so). An exec among the
// host's mounts is a runtime's too: runc runs a copy of itself, which it may do
// after it has joined the cgroup. What the container's own threads start belongs
// to it from the beginning.
enum state { STATE_NEW, STATE_SETUP, STATE_MEMBER };

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

// pids_cgroup is the task's cgroup in the pids controller's v1 hierarchy.
static __always_inline struct cgroup *pids_cgroup(struct task_struct *task)
{
	return task->cgroups->subsys[pids_cgrp_id]->cgroup;
}

// cgroup_of is the task's cgroup in the default hierarchy, or on a host that
// keeps containers in v1 hierarchies only, in that of the pids controller.
// NULL: a task in a root cgroup, which is never a container's.
static __always_inline struct cgroup *cgroup_of(struct task_struct *task)
{
	struct css_set *set = task->cgroups;
	struct cgroup *cgroup = set->dfl_cgrp;

	if (cgroup->level > 0)
		return cgroup;
	if (cgroup_v1) {
		struct cgroup *pids = pids_cgroup(task);

		if (pids->level > 0)
			return pids;
	}
	return record_host ? cgroup : NULL;
}

static __always_inline bool conmon_at(const char *name)
{
	return name[0] == 'c' && name[1] == 'o' && name[2] == 'n' && name[3] == 'm';
}

// All bits for a hex digit: a table, because branches on each character of a
// name would be more ways than the verifier follows.
static const u8 hex_digits[256] = {
	['0' ... '9'] = 0xff,
	['a' ... 'f'] = 0xff,
};

// names_container looks for a container's id in a cgroup's name: a run of 64
// hex digits, whatever stands around it (docker-<id>.scope, <id>, crio-<id>.scope).
// The monitors that podman and CRI-O keep beside a container are none. (It is
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
	return found && !conmon_at(name + 7) && !conmon_at(name + 5);
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
static __always_inline u64 meet(struct cgroup *cgroup, struct container *c)
{
	u64 id = BPF_CORE_READ(cgroup, kn, id);

	if (bpf_map_lookup_elem(&containers, &id) ||
	    (selective && bpf_map_lookup_elem(&deselected, &id)))
		return id;
	keep_place(id, (u64)cgroup); // first: whoever finds the container finds its place
	c->first = bpf_ktime_get_boot_ns();
	bpf_map_update_elem(&containers, &id, c, BPF_NOEXIST);
	stir();
	return id;
}

// classify finds out whose a cgroup is: the innermost ancestor's that is named
// like a container's, 0 for nobody's. (It and keep_place take addresses and are
// global so that the verifier looks at them once, not at each place of use.)
__noinline u64 classify(u64 addr)
{
	struct cgroup *cgroup = (struct cgroup *)addr;
	struct container c = {};

	for (int i = 0; i < ANCESTORS; i++) {
		if (!BPF_CORE_READ(cgroup, level))
			return 0;
		bpf_probe_read_kernel_str(c.name, sizeof(c.name), BPF_CORE_READ(cgroup, kn, name));
		if (names_container(&c))
			return meet(cgroup, &c);
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
		if (!cgroup)
			return 0;
	}
	return 0;
}

// verdict is what classify says of a cgroup, remembered.
static __noinline u64 verdict(u64 addr)
{
	struct cgroup *cgroup = (struct cgroup *)addr;
	u64 id = BPF_CORE_READ(cgroup, kn, id), *known, container;

	known = bpf_map_lookup_elem(&verdicts, &id);
	if (known)
		return *known;
	container = classify(addr);
	bpf_map_update_elem(&verdicts, &id, &container, 0);
	return container;
}

// container_of_task is the id of the cgroup of a task's container, 0 for none. On
// a host with v1 hierarchies a runtime may have made the container's cgroup there
// alone, and left the task in its own service's cgroup of the default hierarchy.
static __noinline u64 container_of_task(struct task_struct *task)
{
	u64 container = cgroup_v1 ? verdict((u64)BPF_CORE_READ(task, cgroups, subsys[pids_cgrp_id], cgroup)) : 0;

	return container ?: verdict((u64)BPF_CORE_READ(task, cgroups, dfl_cgrp));
}

#define PF_IO_WORKER 0x10 // a thread that io_uring made: a ring's poller, or a worker

// first_state is the state of a thread that nothing is known of. No fork is seen
// of one that io_uring made: it is what its process is.
static __noinline u32 first_state(struct task_struct *task)
{
	struct thread *leader;

	if (task->start_boottime <= attached)
		return STATE_MEMBER;
	if (!(task->flags & PF_IO_WORKER))
		return STATE_SETUP;
	leader = known_thread(task->group_leader);
	if (leader && leader->state != STATE_NEW)
		return leader->state;
	return (u64)BPF_CORE_READ(task, nsproxy, mnt_ns) == host_mounts ? STATE_SETUP : STATE_MEMBER;
}

static int flush(struct thread *t, struct task_struct *task, bool owner);

// settle finds out about the current task where it is new, or was not looked at
// since the epoch began or a task moved. NULL: nothing is kept of it, which is so
// for a task of the host whose slot is taken.
static __noinline struct thread *settle(struct task_struct *task)
{
	struct cgroup *cgroup = cgroup_of(task);
	struct thread *t = known_thread(task);
	u32 now = epoch, seen = moves;
	u64 pids = cgroup_v1 ? pids_cgroup(task)->kn->id : 0;
	u64 id = cgroup ? cgroup->kn->id : 0, container;

	if (!t || t->leaf != id || t->pids != pids) {
		container = container_of_task(task);
		if (!t)
			t = new_thread(task, !container && !record_host);
		if (!t)
			return NULL;
		if (t->n > t->sent)
			flush(t, task, true);
		t->leaf = id;
		t->pids = pids;
		t->cgroup = container ?: id;
		if (container)
			t->host = 0;
		if (container && t->state == STATE_NEW)
			t->state = first_state(task);
		t->record = container ? t->state == STATE_MEMBER || record_setup : record_host && id;
		if (task->tgid == self_tgid || unwanted(t))
			t->record = 0;
	} else if (t->epoch != now && t->n > t->sent) {
		flush(t, task, true);
	}
	t->epoch = now;
	t->moves = seen;
	if (t->record)
		stir();
	return t;
}

static __always_inline bool settled(struct thread *t)
{
	return t->epoch == epoch && t->moves == moves;
}

// any_thread_of returns what is kept of the current task, whether it is recorded
// or not.
static __always_inline struct thread *any_thread_of(struct task_struct *task)
{
	struct thread *t = known_thread(task);

	return t && settled(t) ? t : settle(task);
}

// thread_of is any_thread_of a task that is recorded, else NULL.
static __always_inline struct thread *thread_of(struct task_struct *task)
{
	struct thread *t = any_thread_of(task);

	return t && t->record ? t : NULL;
}

#define PF_SIGNALED 0x400 // killed by a signal: on its way back from a call, not in it
#define PF_WORKERS (0x10 | 0x4000 | 0x200000) // io_uring's and vhost's, the kernel's own

// A task was moved: each thread looks again at its next call.
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(task_moved)
{
	__sync_fetch_and_add(&moves, 1);
	return 0;
}

// A removed cgroup can hold no task any more: user space may forget it once it
// has read what is left.
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_gone, struct cgroup *cgroup)
{
	u64 id = cgroup->kn->id;
	struct container *c = bpf_map_lookup_elem(&containers, &id);

	if (c) {
		c->gone = bpf_ktime_get_boot_ns();
		stir();
	}
	bpf_map_delete_elem(&verdicts, &id);
	return 0;
}
