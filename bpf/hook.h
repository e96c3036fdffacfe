// SPDX-License-Identifier: GPL-2.0
// What the kernel itself uses in a call: hooks of security modules, which get
// paths after they were looked up and addresses after they were copied, where no
// other thread can change them. What a hook sees is kept until the call ends.
//
// io_uring's operations come by the same hooks, from the thread that submits them
// or a worker of its process, and end in no call: they become events here, without
// a result, on kernels where uring.h cannot make them.
//
// Each program is attached by itself; where a kernel lacks a hook, or runs without
// the "bpf" security module, the event has what the caller's memory says when the
// call ends. They cost nothing but the calls that come by them, and always allow.
#pragma once

#include "call.h"

// has_rings says whether a task has used io_uring. (The field is there since 5.10,
// where the kernel was built with io_uring.)
static __always_inline bool has_rings(struct task_struct *task)
{
	return bpf_core_field_exists(task->io_uring) && BPF_CORE_READ(task, io_uring);
}

// hook_via says whose a hook is: of the call the task is in (VIA_CALL), of an
// operation that io_uring makes for it, or -1: of neither.
static __noinline s32 hook_via(struct task_struct *task, u32 kind)
{
	struct pt_regs *regs = user_regs(task);
	bool compat = is_compat(task);
	u32 nr, now = KIND_NONE;

	if (OF(task, flags) & PF_IO_WORKER)
		return VIA_IO_URING;
	nr = call_number(regs);
	if (nr < CALLS)
		now = calls[compat ? CALLS + nr : nr].kind;
	if (compat && nr == COMPAT_SOCKETCALL)
		now = socketcall_kind(compat_argument(regs, 1));
	if (now == kind)
		return VIA_CALL;
	if (nr == CALL_IO_URING_ENTER)
		return VIA_IO_URING;
	// Linked operations may run on the way out of any other call, or of none.
	if (has_rings(task) && (kind == KIND_OPEN ? nr == -1U : now == KIND_NONE))
		return VIA_IO_URING;
	return -1;
}

// hook_begin returns where to put what the kernel uses. NULL: nowhere.
static __noinline struct scratch *hook_begin(u32 kind)
{
	struct task_struct *task = current_task();
	struct thread *t = thread_of(task);
	struct scratch *s;
	s32 via;

	if (!t)
		return NULL;
	via = hook_via(task, kind);
	if (via == VIA_CALL)
		return kind == KIND_OPEN ? NULL : begin_truth(t);
	if (via < 0 || ring_traced)
		return NULL;
	s = event_begin(t, task, kind);
	if (s)
		s->head.via = VIA_IO_URING;
	return s;
}

// hook_end sends the event, unless a call is still to end.
static __always_inline void hook_end(struct scratch *s)
{
	if (s->head.via == VIA_IO_URING)
		event_end(s);
}

// add_entry adds the path of an entry of a directory.
static __always_inline void add_entry(struct scratch *s, u32 type, const struct path *dir,
				      struct dentry *dentry)
{
	add_path(s, type, (u64)BPF_CORE_READ(dir, mnt), (u64)dentry);
}

static __always_inline void add_whole(struct scratch *s, u32 type, const struct path *path)
{
	add_path(s, type, (u64)BPF_CORE_READ(path, mnt), (u64)BPF_CORE_READ(path, dentry));
}

#define AT_REMOVEDIR 0x200

SEC("lsm/path_unlink")
int BPF_PROG(hook_unlink, const struct path *dir, struct dentry *dentry)
{
	struct scratch *s = hook_begin(KIND_UNLINK);

	if (!s)
		return 0;
	add_entry(s, SECTION_FILE, dir, dentry);
	hook_end(s);
	return 0;
}

SEC("lsm/path_rmdir")
int BPF_PROG(hook_rmdir, const struct path *dir, struct dentry *dentry)
{
	struct scratch *s = hook_begin(KIND_UNLINK);

	if (!s)
		return 0;
	s->head.flags = AT_REMOVEDIR;
	add_entry(s, SECTION_FILE, dir, dentry);
	hook_end(s);
	return 0;
}

SEC("lsm/path_rename")
int BPF_PROG(hook_rename, const struct path *old_dir, struct dentry *old, const struct path *new_dir,
	     struct dentry *new)
{
	struct scratch *s = hook_begin(KIND_RENAME);

	if (!s)
		return 0;
	add_entry(s, SECTION_FILE, old_dir, old);
	add_entry(s, SECTION_FILE2, new_dir, new);
	hook_end(s);
	return 0;
}

SEC("lsm/path_link")
int BPF_PROG(hook_link, struct dentry *old, const struct path *new_dir, struct dentry *new)
{
	struct scratch *s = hook_begin(KIND_LINK);

	if (!s)
		return 0;
	add_entry(s, SECTION_FILE, new_dir, old); // of the same mount, always
	add_entry(s, SECTION_FILE2, new_dir, new);
	hook_end(s);
	return 0;
}

SEC("lsm/path_symlink")
int BPF_PROG(hook_symlink, const struct path *dir, struct dentry *dentry, const char *target)
{
	struct scratch *s = hook_begin(KIND_LINK);

	if (!s)
		return 0;
	add_name(s, SECTION_NAME, (u64)target);
	add_entry(s, SECTION_FILE2, dir, dentry);
	hook_end(s);
	return 0;
}

SEC("lsm/path_chmod")
int BPF_PROG(hook_chmod, const struct path *path)
{
	struct scratch *s = hook_begin(KIND_CHMOD);

	if (!s)
		return 0;
	add_whole(s, SECTION_FILE, path);
	hook_end(s);
	return 0;
}

SEC("lsm/path_chown")
int BPF_PROG(hook_chown, const struct path *path)
{
	struct scratch *s = hook_begin(KIND_CHOWN);

	if (!s)
		return 0;
	add_whole(s, SECTION_FILE, path);
	hook_end(s);
	return 0;
}

SEC("lsm/sb_mount")
int BPF_PROG(hook_mount, const char *source, const struct path *path, const char *type)
{
	struct scratch *s = hook_begin(KIND_MOUNT);

	if (!s)
		return 0;
	add_name(s, SECTION_NAME, (u64)source);
	add_name(s, SECTION_FSTYPE, (u64)type);
	add_whole(s, SECTION_FILE2, path);
	hook_end(s);
	return 0;
}

SEC("lsm/move_mount")
int BPF_PROG(hook_move_mount, const struct path *from, const struct path *to)
{
	struct scratch *s = hook_begin(KIND_MOUNT);

	if (!s)
		return 0;
	add_whole(s, SECTION_FILE, from);
	add_whole(s, SECTION_FILE2, to);
	hook_end(s);
	return 0;
}

SEC("lsm/sb_umount")
int BPF_PROG(hook_umount, struct vfsmount *mnt)
{
	struct scratch *s = hook_begin(KIND_UMOUNT);

	if (!s)
		return 0;
	add_path(s, SECTION_FILE, (u64)mnt, (u64)BPF_CORE_READ(mnt, mnt_root));
	hook_end(s);
	return 0;
}

SEC("lsm/kernel_read_file")
int BPF_PROG(hook_module, struct file *file, u32 id)
{
	struct scratch *s;

	if (id != bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE))
		return 0;
	s = hook_begin(KIND_MODULE_LOAD);
	if (!s)
		return 0;
	add_file(s, SECTION_FILE, file);
	hook_end(s);
	return 0;
}

// Of calls that open a file, its path is read from the file itself when they end.
SEC("lsm/file_open")
int BPF_PROG(hook_open, struct file *file)
{
	s64 ns = (s64)BPF_CORE_READ(mount_of(file->f_path.mnt), mnt_ns);
	struct scratch *s;

	if (ns < 0 && ns > -4096)
		return 0; // the file below one of an overlay
	s = hook_begin(KIND_OPEN);
	if (!s)
		return 0;
	s->head.flags = file->f_flags;
	add_file(s, SECTION_FILE, file);
	hook_end(s);
	return 0;
}

// socket_hook notes the address of a call, or makes the event of an operation.
static __noinline int socket_hook(u32 kind, struct socket *socket, u64 addr, u32 len)
{
	struct task_struct *task = current_task();
	struct thread *t = thread_of(task);
	struct scratch *s;
	s32 via;

	if (!t)
		return 0;
	via = hook_via(task, kind);
	if (via < 0 || (via == VIA_IO_URING && ring_traced))
		return 0;
	keep_address(t, addr, len);
	if (via != VIA_IO_URING)
		return 0;
	s = event_begin(t, task, kind);
	if (!s)
		return 0;
	s->head.via = VIA_IO_URING;
	add_sock(s, (u64)BPF_CORE_READ(socket, sk));
	add_address(s, t);
	event_end(s);
	return 0;
}

SEC("lsm/socket_connect")
int BPF_PROG(hook_connect, struct socket *socket, struct sockaddr *addr, int len)
{
	return socket_hook(KIND_CONNECT, socket, (u64)addr, len);
}

SEC("lsm/socket_bind")
int BPF_PROG(hook_bind, struct socket *socket, struct sockaddr *addr, int len)
{
	return socket_hook(KIND_BIND, socket, (u64)addr, len);
}

SEC("lsm/socket_listen")
int BPF_PROG(hook_listen, struct socket *socket)
{
	return socket_hook(KIND_LISTEN, socket, 0, 0);
}

// For accept the new socket has no peer yet: the listening one is named.
SEC("lsm/socket_accept")
int BPF_PROG(hook_accept, struct socket *socket)
{
	return socket_hook(KIND_ACCEPT, socket, 0, 0);
}

// hook_exec notes which call runs a program, whose number the kernel overwrites,
// and the path as the kernel copied it beside what the caller's memory says now.
SEC("lsm/bprm_creds_for_exec")
int BPF_PROG(hook_exec, struct linux_binprm *bprm)
{
	struct task_struct *task = current_task();
	struct thread *t = thread_of(task);
	struct pt_regs *regs;
	struct scratch *s;
	bool compat;
	u32 nr;

	if (!t)
		return 0;
	regs = user_regs(task);
	compat = is_compat(task);
	nr = call_number(regs);
	t->exec_call = call_code(nr, compat);
	if (nr >= CALLS || names_descriptor(bprm))
		return 0;
	s = begin_truth(t);
	if (!s)
		return 0;
	take_arguments(s, regs, nr, compat);
	add_text(s, SECTION_PATH, arg(s, calls[compat ? CALLS + nr : nr].path));
	add_name(s, SECTION_NAME, (u64)BPF_CORE_READ(bprm, filename));
	return 0;
}
