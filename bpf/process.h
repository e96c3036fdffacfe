// SPDX-License-Identifier: GPL-2.0
// Programs run, processes born and gone.
//
// Hooks: the scheduler's tracepoints, with the kernel's own view of what
// happened: the executed file from mm->exe_file, the arguments as they were
// copied onto the new stack. An exec that failed is seen in call.h.
#pragma once

#include "path.h"
#include "sequence.h"

#define ARGV_MAX 4096
#define OVERLAYFS 0x794c7630
#define SIGNAL_GROUP_EXIT 4

static __always_inline void add_exe(struct scratch *s, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct exe_file *exe = (struct exe_file *)room(s);

	if (!exe)
		return;
	if (bpf_core_field_exists(inode->i_ctime_sec)) {
		exe->ctime_sec = BPF_CORE_READ(inode, i_ctime_sec);
		exe->ctime_nsec = BPF_CORE_READ(inode, i_ctime_nsec);
	} else if (bpf_core_field_exists(struct inode___6_6, __i_ctime)) {
		struct inode___6_6 *old = (void *)inode;

		exe->ctime_sec = BPF_CORE_READ(old, __i_ctime.tv_sec);
		exe->ctime_nsec = BPF_CORE_READ(old, __i_ctime.tv_nsec);
	} else {
		struct inode___5 *old = (void *)inode;

		exe->ctime_sec = BPF_CORE_READ(old, i_ctime.tv_sec);
		exe->ctime_nsec = BPF_CORE_READ(old, i_ctime.tv_nsec);
	}
	exe->nlink = BPF_CORE_READ(inode, i_nlink);
	exe->overlay = BPF_CORE_READ(inode, i_sb, s_magic) == OVERLAYFS;
	exe->upper = 0;
	if (exe->overlay) {
		// overlayfs may be a module, whose types CO-RE does not see here. In
		// struct ovl_inode the upper dentry follows the inode (fs/overlayfs/ovl_entry.h).
		u64 upper = 0;

		bpf_probe_read_kernel(&upper, sizeof(upper),
				      (void *)inode + bpf_core_type_size(struct inode));
		exe->upper = upper != 0;
	}
	section_end(s, SECTION_EXE, sizeof(*exe), 0);
}

static __always_inline void add_argv(struct scratch *s, struct task_struct *task)
{
	u64 start = BPF_CORE_READ(task, mm, arg_start);
	u64 len = BPF_CORE_READ(task, mm, arg_end) - start;
	u8 *to = room(s);
	u32 flags = 0;

	if (!to)
		return;
	if (len > ARGV_MAX) {
		len = ARGV_MAX;
		flags = SECTION_CUT;
	}
	if (bpf_probe_read_user(to, len, (void *)start) == 0)
		section_end(s, SECTION_ARGV, len, flags);
}

// names_descriptor says whether an exec is an execveat that no execve could stand
// for. Before 5.9 that is not known.
static __always_inline bool names_descriptor(struct linux_binprm *bprm)
{
	return bpf_core_field_exists(bprm->fdpath) && BPF_CORE_READ(bprm, fdpath);
}

// exec_ended appends the call that ran a program, as the last of the old one. At
// sys_exit its number is that of execve, whichever it was.
static __noinline int exec_ended(struct thread *t, struct task_struct *task, s32 old_tid,
				 struct linux_binprm *bprm)
{
	u32 nr = names_descriptor(bprm) ? call_execveat : call_execve;

	if (t->exec_call)
		nr = t->exec_call;
	t->exec_call = 0;

	append_edge(t, nr);
	if (t->n == t->sent + 1)
		t->tid = old_tid;
	flush(t, task, true);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *unused, s32 old_pid, struct linux_binprm *bprm)
{
	struct task_struct *task = current_task();
	struct thread *t = any_thread_of(task);
	struct scratch *s;
	struct file *file;
	u64 container;

	if (!t)
		return 0;
	if (t->record)
		exec_ended(t, task, old_pid, bprm);
	container = joins(t, task);
	if (container) {
		t->state = STATE_MEMBER;
		t->cgroup = container;
		t->host = 0;
		t->record = 1;
	}
	if (!t->record)
		return 0;
	s = event_begin(t, task, KIND_EXEC);
	if (!s)
		return 0;
	file = BPF_CORE_READ(task, mm, exe_file);
	add_file(s, SECTION_FILE, file);
	add_exe(s, file);
	add_argv(s, task);
	add_cwd(s, SECTION_CWD);
	event_end(s);
	return 0;
}

#define SHARES(FLAG, ...) \
	(BPF_CORE_READ(parent, __VA_ARGS__) == BPF_CORE_READ(child, __VA_ARGS__) ? (FLAG) : 0)
#define DIFFERS(FLAG, ...) ((FLAG) - SHARES(FLAG, __VA_ARGS__))

// clone_flags says what the child really shares with its parent and what it has
// of its own, in the words of clone(2): not what was asked for, what came of it.
static __noinline u64 clone_flags(struct task_struct *parent, struct task_struct *child)
{
	u64 flags = SHARES(0x100, mm) | SHARES(0x200, fs) | SHARES(0x400, files) |
		    SHARES(0x10000, tgid);

	flags |= DIFFERS(0x10000000, cred, user_ns);
	flags |= DIFFERS(0x20000, nsproxy, mnt_ns) | DIFFERS(0x2000000, nsproxy, cgroup_ns);
	flags |= DIFFERS(0x4000000, nsproxy, uts_ns) | DIFFERS(0x8000000, nsproxy, ipc_ns);
	flags |= DIFFERS(0x20000000, nsproxy, pid_ns_for_children);
	flags |= DIFFERS(0x40000000, nsproxy, net_ns);
	return flags;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct task_struct *task = current_task();
	struct thread *t = any_thread_of(task), *c;
	struct scratch *s;

	if (!t)
		return 0;
	if (t->state != STATE_NEW) {
		c = new_thread(child, false);
		if (c) {
			c->state = t->state;
			c->cgroup = t->cgroup;
		}
	}
	if (!t->record)
		return 0;
	s = event_begin(t, task, KIND_FORK);
	if (!s)
		return 0;
	s->head.target = OF(child, pid);
	s->head.ret = OF(child, tgid);
	s->head.arg = OF(child, start_boottime);
	s->head.flags = clone_flags(task, child);
	event_end(s);
	return 0;
}

// call_unended appends the call that a thread ends in: exit, exit_group, or one
// that seccomp kills the thread for. A thread that a signal kills has left its
// call before.
static __noinline int call_unended(struct thread *t, struct task_struct *task)
{
	s32 nr;

	if (OF(task, flags) & (PF_SIGNALED | PF_WORKERS))
		return 0;
	nr = call_number(user_regs(task));
	if (nr >= 0)
		append_edge(t, call_code(nr, is_compat(task)));
	return 0;
}

// exit_event makes the event of a process that ends with its last thread.
static __noinline int exit_event(struct thread *t, struct task_struct *task)
{
	struct signal_struct *signal;
	struct scratch *s;

	signal = BPF_CORE_READ(task, signal);
	if (BPF_CORE_READ(signal, live.counter) != 0)
		return 0; // other threads go on
	s = event_begin(t, task, KIND_EXIT);
	if (!s)
		return 0;
	if (BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT)
		s->head.arg = BPF_CORE_READ(signal, group_exit_code);
	else
		s->head.arg = BPF_CORE_READ(task, exit_code);
	event_end(s);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *unused)
{
	struct task_struct *task = current_task();
	struct thread *t = thread_of(task);

	if (t) {
		call_unended(t, task);
		flush(t, task, true);
		drop_truth(t);
		exit_event(t, task);
	}
	forget_thread(task);
	return 0;
}
