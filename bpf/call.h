// SPDX-License-Identifier: GPL-2.0
// System calls whose arguments are recorded.
//
// Hook: tp_btf/sys_exit, which knows arguments and result together, also of
// calls that seccomp refused, and runs with preemption off. `calls` says which
// call is of interest and which argument is what; for any other the program is
// a look at that table. (fexit on __x64_sys_* would cost other calls nothing,
// but some kernels refuse to load fentry and fexit programs.)
#pragma once

#include "path.h"
#include "net.h"

static __always_inline u64 argument(const struct pt_regs *regs, u8 i)
{
#if defined(__TARGET_ARCH_x86)
	switch (i) {
	case 1: return regs->di;
	case 2: return regs->si;
	case 3: return regs->dx;
	case 4: return regs->r10;
	case 5: return regs->r8;
	case 6: return regs->r9;
	}
#else
	switch (i) {
	case 1: return regs->orig_x0;
	case 2: return regs->regs[1];
	case 3: return regs->regs[2];
	case 4: return regs->regs[3];
	case 5: return regs->regs[4];
	case 6: return regs->regs[5];
	}
#endif
	return 0;
}

static __always_inline u32 call_number(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#else
	return regs->syscallno;
#endif
}

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

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 nr = call_number(regs);
	const volatile struct call *c;
	struct thread *t;
	struct scratch *s;

	if (nr >= CALLS || !calls[nr].kind)
		return 0;
	c = &calls[nr];
	t = thread_of(task);
	if (!t || is_compat(task))
		return 0;
	if (c->option == OPTION_ARGV && ret >= 0)
		return 0; // sched_process_exec saw it
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
