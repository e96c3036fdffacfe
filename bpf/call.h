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

// arg is an argument of the call, 1 to 6; 0 is none.
static __always_inline u64 arg(struct scratch *s, u8 i)
{
	return s->args[i & 7];
}

// directory is the descriptor that a relative path starts from.
static __always_inline s32 directory(struct scratch *s, u8 i)
{
	return i ? (s32)arg(s, i) : AT_FDCWD;
}

// take_arguments reads what the caller passed. socketcall, of the 32-bit table,
// has its arguments in memory.
static __noinline int take_arguments(struct scratch *s, struct pt_regs *regs, u32 nr, bool compat)
{
	u32 passed[6] = {};

	s->args[0] = 0;
	if (!compat) {
		s->args[1] = argument(regs, 1);
		s->args[2] = argument(regs, 2);
		s->args[3] = argument(regs, 3);
		s->args[4] = argument(regs, 4);
		s->args[5] = argument(regs, 5);
		return 0;
	}
	s->args[1] = compat_argument(regs, 1);
	s->args[2] = compat_argument(regs, 2);
	s->args[3] = compat_argument(regs, 3);
	s->args[4] = compat_argument(regs, 4);
	s->args[5] = compat_argument(regs, 5);
	if (nr == COMPAT_SOCKETCALL) {
		bpf_probe_read_user(passed, sizeof(passed), (void *)s->args[2]);
		for (int i = 0; i < 5; i++)
			s->args[i + 1] = passed[i];
	}
	return 0;
}

// add_arguments adds the argv of an exec that failed.
__noinline int add_arguments(struct scratch *s, u64 argv, u32 width)
{
	u8 *to = room(s);
	u32 len = 0;
	u32 flags = SECTION_CUT;

	if (!to || !argv)
		return 0;
	for (int i = 0; i < 32; i++) {
		u64 addr = 0;
		long n;

		if (bpf_probe_read_user(&addr, width == 4 ? 4 : 8, (void *)(argv + i * width)) || !addr) {
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

static __always_inline void add_path_arguments(struct scratch *s, const volatile struct call *c,
					       long ret)
{
	struct file *file = NULL;

	if (c->option == OPTION_TEXT) {
		add_text(s, SECTION_PATH, arg(s, c->path));
		return;
	}
	if (s->head.kind == KIND_OPEN && ret >= 0)
		file = (struct file *)file_at(ret);
	else if (c->fd && !s->hooked)
		file = (struct file *)file_at(arg(s, c->fd));
	if (file)
		add_file(s, SECTION_FILE, file);
	else if (c->path)
		add_argument_path(s, SECTION_PATH, arg(s, c->path), directory(s, c->dir));
	if (c->path2)
		add_argument_path(s, SECTION_PATH2, arg(s, c->path2), directory(s, c->dir2));
}

// Changes of identity: what matters is not what was asked for but what the task
// is afterwards.
static __always_inline u64 effective_capabilities(void)
{
	struct task_struct *task = current_task();
	const struct cred *cred = BPF_CORE_READ(task, cred);
	u64 mask = 0;

	// Two u32 before 6.3, one u64 since: the same eight bytes on these machines.
	bpf_probe_read_kernel(&mask, sizeof(mask), &cred->cap_effective);
	return mask;
}

static __always_inline void add_option(struct scratch *s, const volatile struct call *c)
{
	struct open_how how = {};

	switch (c->option) {
	case OPTION_HOW:
		bpf_probe_read_user(&how, sizeof(how), (void *)arg(s, 3));
		s->head.flags = how.flags;
		s->head.mode = how.mode;
		break;
	case OPTION_ARGV:
		s->head.arg = 0;
		add_cwd(s, SECTION_CWD);
		add_arguments(s, arg(s, c->arg), s->head.via == VIA_COMPAT ? 4 : 8);
		break;
	case OPTION_FSTYPE:
		if (!s->hooked)
			add_text(s, SECTION_FSTYPE, arg(s, 3));
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
static __noinline int call_event(struct thread *t, struct pt_regs *regs, u32 nr, long ret,
				 bool compat)
{
	const volatile struct call *c;
	struct scratch *s;
	u32 kind;

	if (nr >= CALLS)
		return 0;
	c = &calls[compat ? CALLS + nr : nr];
	kind = compat && nr == COMPAT_SOCKETCALL ? socketcall_kind(compat_argument(regs, 1)) : c->kind;
	if (!kind)
		return 0;
	s = event_begin(t, current_task(), kind);
	if (!s)
		return 0;
	take_arguments(s, regs, nr, compat);
	s->head.via = compat ? VIA_COMPAT : VIA_CALL;
	s->head.call = nr;
	s->head.ret = ret;
	s->head.flags = arg(s, c->flags);
	s->head.mode = arg(s, c->mode);
	s->head.arg = arg(s, c->arg);
	s->head.target = arg(s, c->target);
	add_option(s, c);
	if (c->option == OPTION_SOCKET)
		add_socket_call(s, t);
	else
		add_path_arguments(s, c, ret);
	event_end(s);
	return 0;
}

// ended_oddly is for a call whose number does not say everything: of the 32-bit
// table, or none of a table, or sigreturn, which takes its own number away when
// it puts the interrupted program's registers back.
static __noinline int ended_oddly(struct thread *t, struct pt_regs *regs, s32 nr, bool compat,
				  long ret)
{
	if (compat && !ret && (nr == COMPAT_FORK || nr == COMPAT_VFORK || nr == COMPAT_CLONE ||
			       nr == COMPAT_CLONE3))
		return 0; // the child
	if (compat && !ret && (nr == COMPAT_EXECVE || nr == COMPAT_EXECVEAT))
		return 0; // a new program
	if (nr == -1 && ret != -ENOSYS)
		nr = compat ? COMPAT_SIGRETURN : call_sigreturn;
	append_edge(t, call_code(nr, compat));
	if (compat)
		call_event(t, regs, nr, ret, true);
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
		call_event(t, regs, nr, ret, false);
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
		return ended_oddly(t, regs, nr, compat, ret);
	if (special[nr])
		return ended_specially(t, regs, nr, ret);
	append(t, nr);
	return 0;
}

// ended_unsettled is for a thread that must be looked at.
static __noinline int ended_unsettled(struct pt_regs *regs, long ret)
{
	struct task_struct *task = current_task();
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
