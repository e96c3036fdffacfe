// SPDX-License-Identifier: GPL-2.0
// The path of a file as the kernel knows it: names from the leaf up to the
// root that the task sees, across mounts. Go puts them together.
#pragma once

#include "event.h"

#define COMPONENTS 48
#define COMPONENT_MAX 256
#define PATH_BYTES 4096
#define AT_FDCWD -100
#define S_IFMT 0170000
#define S_IFSOCK 0140000

// step_up goes one step towards the root: to the parent directory, having added
// the name here, or from a mount's root to the place it is mounted on. Returns
// 0 while there is further to go, else how the walk ended.
#define WALK_DONE 0x100
static __always_inline u32 step_up(struct scratch *s, u8 *to)
{
	u64 dentry = s->dentry, parent = (u64)READ(struct dentry, dentry, d_parent);
	u32 len = s->path_len;
	long n;

	if (dentry == (u64)READ(struct vfsmount, s->mnt, mnt_root)) {
		u64 mount = (u64)mount_of((void *)s->mnt), up = (u64)READ(struct mount, mount, mnt_parent);

		if (mount != up) {
			s->dentry = (u64)READ(struct mount, mount, mnt_mountpoint);
			s->mnt = up + bpf_core_field_offset(struct mount, mnt);
			return 0;
		}
	}
	if (len > PATH_BYTES - COMPONENT_MAX)
		return WALK_DONE | SECTION_CUT;
	n = bpf_probe_read_kernel_str(to + len, COMPONENT_MAX, READ(struct dentry, dentry, d_name.name));
	if (n < 1 || n > COMPONENT_MAX)
		return WALK_DONE | SECTION_CUT;
	if (dentry == parent && n == 2) // "/"
		return WALK_DONE | SECTION_OUTSIDE;
	if (dentry == parent) { // memfd:x
		s->path_len = len + n;
		return WALK_DONE | SECTION_DETACHED;
	}
	s->path_len = len + n;
	s->dentry = parent;
	return 0;
}

// add_walk adds a section of the components of where the scratch's (mnt, dentry)
// stands, leaf first, each NUL-terminated. The root itself has none.
__noinline int add_walk(struct scratch *s, u32 type)
{
	struct fs_struct *fs = OF(current_task(), fs);
	u64 root = (u64)OF(fs, root.dentry);
	u64 root_mnt = (u64)OF(fs, root.mnt);
	u32 flags = SECTION_CUT, len;
	u8 *to = room(s);

	if (!s || !to || !s->dentry)
		return 0;
	s->path_len = 0;
	for (int i = 0; i < COMPONENTS; i++) {
		u32 end;

		if (s->dentry == root && s->mnt == root_mnt) {
			flags = 0;
			break;
		}
		end = step_up(s, to);
		if (end) {
			flags = end & ~WALK_DONE;
			break;
		}
	}
	len = s->path_len;
	if (len <= PATH_BYTES)
		section_end(s, type, len, flags);
	return 0;
}

static __always_inline void add_path(struct scratch *s, u32 type, u64 mnt, u64 dentry)
{
	s->dentry = dentry;
	s->mnt = mnt;
	add_walk(s, type);
}

static __always_inline void add_file(struct scratch *s, u32 type, struct file *file)
{
	add_path(s, type, (u64)READ(struct file, file, f_path.mnt), (u64)READ(struct file, file, f_path.dentry));
}

static __always_inline void add_cwd(struct scratch *s, u32 type)
{
	struct fs_struct *fs = OF(current_task(), fs);

	add_path(s, type, (u64)OF(fs, pwd.mnt), (u64)OF(fs, pwd.dentry));
}

// file_at is the current task's open file of a descriptor, or NULL.
__noinline u64 file_at(s32 fd)
{
	struct fdtable *table = OF(OF(current_task(), files), fdt);
	struct file *file = NULL;

	if (fd < 0 || (u32)fd >= OF(table, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), OF(table, fd) + fd);
	return (u64)file;
}

// add_base adds what a relative path starts from.
static __noinline int add_base(struct scratch *s, u32 type, s32 dir)
{
	struct file *file;

	if (dir == AT_FDCWD) {
		add_cwd(s, type);
		return 0;
	}
	file = (struct file *)file_at(dir);
	if (file)
		add_file(s, type, file);
	return 0;
}

// add_argument_path adds the caller's path, and where it is relative, or empty
// and so stands for the directory descriptor, what it starts from.
__noinline int add_argument_path(struct scratch *s, u32 type, u64 addr, s32 dir)
{
	int first = add_text(s, type, addr);

	if (!s || first == '/')
		return 0;
	return add_base(s, type + 1, dir);
}
