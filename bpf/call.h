// SPDX-License-Identifier: GPL-2.0
// The end of every system call of every recorded thread: a place in its sequence,
// and an event of the calls whose arguments are recorded.
//
// Hook: tp_btf/sys_exit alone. It knows the number, the arguments and the result
// together, also of calls that seccomp or a tracer refused, and costs every call
// of the machine half of what sys_enter and sys_exit together do. `special` and
// `calls` say which call is of interest and which argument is what; for any other
// the program is a look at that table. (fexit on __x64_sys_* would cost other
// calls nothing, but some kernels refuse to load fentry and fexit programs.)
//
// Not every call ends here: those that end with their thread (exit, exit_group,
// what seccomp kills for) are appended in process.h, and so is an exec that
// succeeds, whose number the kernel overwrites. A child's first way out of the
// kernel comes by here as the end of its parent's clone.
#pragma once

#include "sequence.h"
#include "path.h"
#include "net.h"

// directory is the descriptor that a relative path starts from.
static __always_inline s32 directory(const struct pt_regs *regs, u8 i)
{
	return i ? (s32)argument(regs, i) : AT_FDCWD;
}

// add_arguments adds the argv of an exec that failed.
__noinline int add_arguments(struct scratch *s, u64 argv)
{
	u8 *to = room(s);
	u32 len = 0;
	u32 flags = SECTION_CUT;

	if (!to || !argv)
		return 0;
	for (int i = 0; i < 32; i++) {
		u64 addr = 0;
		long n;

		if (bpf_probe_read_user(&addr, sizeof(addr), (void *)(argv + i * 8)) || !addr) {
			flags = 0;
			break;
		}
		if (len > TEXT_MAX - COMPONENT_MAX)
			break;
		n = bpf_probe_read_user_str(to + len, COMPONENT_MAX, (void *)addr);
		if (n < 1 || n > COMPONENT_MAX)
			break;
		len += n;
	}
	section_end(s, SECTION_ARGV, len, flags);
	return 0;
}

static __always_inline void add_path_arguments(struct scratch *s, const struct pt_regs *regs,
					       const volatile struct call *c, long ret)
{
	struct file *file = NULL;

	if (c->option == OPTION_TEXT) {
		add_text(s, SECTION_PATH, argument(regs, c->path));
		return;
	}
	if (s->head.kind == KIND_OPEN && ret >= 0)
		file = (struct file *)file_at(ret);
	else if (c->fd)
		file = (struct file *)file_at(argument(regs, c->fd));
	if (file)
		add_file(s, SECTION_FILE, file);
	else if (c->path)
		add_argument_path(s, SECTION_PATH, argument(regs, c->path), directory(regs, c->dir));
	if (c->path2)
		add_argument_path(s, SECTION_PATH2, argument(regs, c->path2),
				  directory(regs, c->dir2));
}

// Changes of identity: what matters is not what was asked for but what the task
// is afterwards.
static __always_inline u64 effective_capabilities(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct cred *cred = BPF_CORE_READ(task, cred);
	u64 mask = 0;

	// Two u32 before 6.3, one u64 since: the same eight bytes on these machines.
	bpf_probe_read_kernel(&mask, sizeof(mask), &cred->cap_effective);
	return mask;
}

static __always_inline void add_option(struct scratch *s, const struct pt_regs *regs,
				       const volatile struct call *c)
{
	struct open_how how = {};

	switch (c->option) {
	case OPTION_HOW:
		bpf_probe_read_user(&how, sizeof(how), (void *)argument(regs, 3));
		s->head.flags = how.flags;
		s->head.mode = how.mode;
		break;
	case OPTION_ARGV:
		s->head.arg = 0;
		add_cwd(s, SECTION_CWD);
		add_arguments(s, argument(regs, c->arg));
		break;
	case OPTION_FSTYPE:
		add_text(s, SECTION_FSTYPE, argument(regs, 3));
		break;
	}
	switch (c->kind) {
	case KIND_SETUID:
		s->head.arg = s->head.uid;
		break;
	case KIND_SETGID:
		s->head.arg = s->head.gid;
		break;
	case KIND_CAPSET:
		s->head.arg = effective_capabilities();
		break;
	}
}

// call_event makes the event of a call that has ended.
static __noinline int call_event(struct thread *t, struct task_struct *task, struct pt_regs *regs,
				 u32 nr, long ret)
{
	const volatile struct call *c;
	struct scratch *s;

	if (nr >= CALLS)
		return 0;
	c = &calls[nr];
	s = event_begin(t, task, c->kind);
	if (!s)
		return 0;
	s->head.call = nr;
	s->head.ret = ret;
	s->head.flags = argument(regs, c->flags);
	s->head.mode = argument(regs, c->mode);
	s->head.arg = argument(regs, c->arg);
	s->head.target = argument(regs, c->target);
	add_option(s, regs, c);
	if (c->option == OPTION_SOCKET)
		add_socket_call(s, argument(regs, 1), argument(regs, 2), argument(regs, 3));
	else
		add_path_arguments(s, regs, c, ret);
	event_end(s);
	return 0;
}

// ended_oddly is for a call whose number does not say everything: of the 32-bit
// table, or none of a table, or sigreturn, which takes its own number away when
// it puts the interrupted program's registers back.
static __noinline int ended_oddly(struct thread *t, s32 nr, bool compat, long ret)
{
	if (compat && !ret && (nr == COMPAT_FORK || nr == COMPAT_VFORK || nr == COMPAT_CLONE ||
			       nr == COMPAT_CLONE3))
		return 0; // the child
	if (compat && !ret && (nr == COMPAT_EXECVE || nr == COMPAT_EXECVEAT))
		return 0; // a new program
	if (nr == -1 && ret != -ENOSYS)
		nr = compat ? COMPAT_SIGRETURN : call_sigreturn;
	append_edge(t, call_code(nr, compat));
	return 0;
}

// ended_specially is for a call that asks for more than a place in the sequence.
static __noinline int ended_specially(struct thread *t, struct pt_regs *regs, u32 nr, long ret)
{
	u32 what;

	if (nr >= CALLS)
		return 0;
	what = special[nr];
	if (what != SPECIAL_EVENT && !ret)
		return 0; // a child, or a new program
	append_edge(t, nr);
	if (what != SPECIAL_FORK)
		call_event(t, bpf_get_current_task_btf(), regs, nr, ret);
	return 0;
}

static __always_inline int ended(struct thread *t, struct pt_regs *regs, long ret, bool compat)
{
	u32 nr;

#if defined(__TARGET_ARCH_x86)
	nr = regs->orig_ax;
#else
	nr = regs->syscallno;
#endif
	if (nr >= CALLS || compat)
		return ended_oddly(t, nr, compat, ret);
	if (special[nr])
		return ended_specially(t, regs, nr, ret);
	append(t, nr);
	return 0;
}

// ended_unsettled is for a thread that must be looked at.
static __noinline int ended_unsettled(struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *t = thread_of(task);

	return t ? ended(t, regs, ret, is_compat(task)) : 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	struct thread *t = slot_at((u64)regs);

	if (!t || t->regs != (u64)regs || !settled(t))
		return ended_unsettled(regs, ret);
	if (!t->record)
		return 0;
	return ended(t, regs, ret, is_compat_call(regs, t->task));
}
