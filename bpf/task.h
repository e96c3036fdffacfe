// SPDX-License-Identifier: GPL-2.0
// Whose task is this? The answer for a thread is kept with it, and asked again once
// in each epoch and after any task of the machine was moved to another cgroup.
#pragma once

#include "container.h"

// A runtime prepares a container from within its cgroup: it mounts, changes its
// identity, and at last execs the container's program. Those steps are the
// runtime's, so a task that came into the cgroup from outside does not belong to
// the container before it execs. What the container's own tasks start belongs to it
// from the beginning. A task that belongs to one container and comes into the cgroup
// of another, nested in it or not, belongs to the first until it execs; one that
// leaves for a cgroup that is no container's, for good.
//
// None of this can be had by a name: a task that was forked in the container, or
// has belonged to it once, is never the runtime's.
enum state {
	STATE_NEW,
	STATE_SETUP,   // came from outside, and has not run a program here
	STATE_ASSUMED, // by its looks it did, before anything was attached: for a while
	STATE_MEMBER,  // of the container thread.cgroup
};

#define ASSUMED_NS 60000000000ULL // no runtime takes as long

#define PF_FORKNOEXEC 0x40 // forked, and not run a program since
#define PF_IO_WORKER 0x10 // a thread that io_uring made: a ring's poller, or a worker

static __always_inline u64 mounts_of(struct task_struct *task)
{
	return (u64)BPF_CORE_READ(task, nsproxy, mnt_ns);
}

// at_work says whether a task that nobody saw come into its container's cgroup is a
// runtime's that prepares the container: young, and either still with all namespaces
// of its parent, which is outside, or forked by a program and not of the container's
// mounts: its file is not (runc's copy of itself, crun on the host), or it has not
// got them yet. A program that was run in the container has its file in there.
static __noinline bool at_work(struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(leader, real_parent);
	struct nsproxy *own = BPF_CORE_READ(leader, nsproxy), *above = BPF_CORE_READ(parent, nsproxy);
	struct mnt_namespace *mounts = BPF_CORE_READ(own, mnt_ns);
	struct vfsmount *file = BPF_CORE_READ(leader, mm, exe_file, f_path.mnt);

	if (BPF_CORE_READ(leader, start_boottime) + 2 * ASSUMED_NS < assumed_until)
		return false;
	if (own == above)
		return true;
	if (!(BPF_CORE_READ(leader, flags) & PF_FORKNOEXEC))
		return false;
	return mounts == BPF_CORE_READ(above, mnt_ns) ||
	       mounts != BPF_CORE_READ(mount_of(file), mnt_ns);
}

// outside says whether a task, the parent of one that stands in a container's cgroup,
// is not of that container.
static __always_inline bool outside(struct task_struct *task, u64 container)
{
	struct thread *t = known_thread(task);

	if (t && t->state != STATE_NEW)
		return t->state != STATE_MEMBER || t->cgroup != container;
	return container_of_task(task) != container;
}

// relative is a task that a task of which nothing is known got what it is from: of a
// thread its process, else the parent where that stands in the same container. NULL:
// it has none, or nothing is known of it either.
static __always_inline struct thread *relative(struct task_struct *task, u64 container)
{
	struct thread *t = NULL;

	if (OF(task, pid) != OF(task, tgid))
		t = known_thread(OF(task, group_leader));
	else if (container_of_task(OF(task, real_parent)) == container)
		t = known_thread(OF(task, real_parent));
	return t && t->state != STATE_NEW ? t : NULL;
}

// first_state is the state of a task that nothing is known of, in a container's
// cgroup. No fork is seen of a thread that io_uring made.
static __always_inline u32 first_state(struct task_struct *task, u64 container)
{
	if (!outside(OF(task, real_parent), container))
		return STATE_MEMBER;
	if (OF(task, flags) & PF_IO_WORKER)
		return mounts_of(task) == host_mounts ? STATE_SETUP : STATE_MEMBER;
	if (OF(task, start_boottime) > attached)
		return STATE_SETUP;
	return at_work(task) ? STATE_ASSUMED : STATE_MEMBER;
}

// joins returns the container of a task's cgroup where an exec makes the task one of
// it, else 0: where it is that already, and where the exec is a runtime's that runs a
// copy of itself, as runc does, after it came into the cgroup. That happens among
// the host's mounts, or those of the parent outside.
static __noinline u64 joins(struct thread *t, struct task_struct *task)
{
	u64 container = container_of_task(task), mounts = mounts_of(task);
	struct task_struct *parent = OF(task, real_parent);

	if (!container || (t->state == STATE_MEMBER && t->cgroup == container))
		return 0;
	if (mounts == host_mounts || (mounts == mounts_of(parent) && outside(parent, container)))
		return 0;
	return container;
}

static int flush(struct thread *t, struct task_struct *task, bool owner);

// belong finds out whose the current thread is where it is new, or in another cgroup
// than before. (Global, so that the verifier looks at it once.)
__noinline int belong(struct thread *t, u64 container, u64 id)
{
	struct task_struct *task = current_task();
	struct thread *like;

	if (!t || t->state == STATE_MEMBER)
		return 0;
	t->cgroup = container ?: id;
	if (!container)
		return 0;
	t->host = 0;
	if (t->state != STATE_NEW)
		return 0;
	like = relative(task, container);
	if (like) {
		t->state = like->state;
		t->cgroup = like->cgroup;
	} else if (t->leaf) { // seen elsewhere before
		t->state = STATE_SETUP;
	} else {
		t->state = first_state(task, container);
	}
	return 0;
}

// recorded says whether the calls and events of a thread are.
static __always_inline bool recorded(struct thread *t, struct task_struct *task, u64 container, u64 id)
{
	if (OF(task, tgid) == self_tgid || unwanted(t))
		return false;
	if (t->state == STATE_MEMBER)
		return true;
	return container ? record_setup : record_host && id;
}

// settle finds out about the current task where it is new, or was not looked at
// since the epoch began or a task moved. NULL: nothing is kept of it, which is so
// for a task of the host whose slot is taken.
static __noinline struct thread *settle(struct task_struct *task)
{
	struct thread *t = known_thread(task);
	u32 now = epoch, seen = moves;
	u64 pids = cgroup_v1 ? BPF_CORE_READ(pids_cgroup(task), kn, id) : 0;
	u64 id = cgroup_of(task), container;

	if (!t || t->leaf != id || t->pids != pids) {
		container = container_of_task(task);
		if (!t)
			t = new_thread(task, !container && !record_host);
		if (!t)
			return NULL;
		if (t->n > t->sent)
			flush(t, task, true);
		belong(t, container, id);
		t->leaf = id;
		t->pids = pids;
		t->record = recorded(t, task, container, id);
	} else if (t->epoch != now && t->n > t->sent) {
		flush(t, task, true);
	}
	if (t->state == STATE_ASSUMED && bpf_ktime_get_boot_ns() > assumed_until) {
		t->state = STATE_MEMBER;
		t->record = recorded(t, task, t->cgroup, id);
	}
	t->epoch = now;
	t->length = epoch_length;
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
	struct container *c;
	u64 id = cgroup->kn->id;

	if (cgroup->root->hierarchy_id) {
		if (!(cgroup->root->subsys_mask & 1 << PIDS_CONTROLLER))
			return 0; // of a hierarchy that nothing is read of
		id |= PIDS_BIT;
	}
	c = bpf_map_lookup_elem(&containers, &id);
	if (c) {
		c->gone = bpf_ktime_get_boot_ns();
		__sync_fetch_and_add(&news, 1);
		stir();
	}
	bpf_map_delete_elem(&verdicts, &id);
	return 0;
}
