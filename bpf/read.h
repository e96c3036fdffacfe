// SPDX-License-Identifier: GPL-2.0
// Reading the kernel's structures where only an address is known.
//
// bpf_probe_read_kernel is a call for each field, some 12 ns where returns are
// mitigated, and the path of a file takes thirty of them. Since 6.2 an address can
// be given a type instead: then a field is one load, which the kernel guards as
// well (a bad address reads as 0).
#pragma once

#include "range.h"

volatile const bool no_casts; // for tests

// No call, but a word to the verifier.
extern void *bpf_rdonly_cast(const void *obj, u32 btf_id) __ksym __weak;

#define can_cast() (!no_casts && &bpf_rdonly_cast)

#define CAST(TYPE, ADDR) \
	((TYPE *)bpf_rdonly_cast((void *)(ADDR), bpf_core_type_id_kernel(TYPE)))

// READ is a field of the TYPE at an address. (The address is taken first: inside
// BPF_CORE_READ a field of ours on the way to it would be looked for in the kernel.)
#define READ(TYPE, ADDR, FIELD)                                \
	({                                                     \
		u64 at = (u64)(ADDR);                          \
		typeof(((TYPE *)0)->FIELD) read;               \
		if (can_cast())                                \
			read = CAST(TYPE, at)->FIELD;          \
		else                                           \
			read = BPF_CORE_READ((TYPE *)at, FIELD); \
		read;                                          \
	})

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return (struct mount *)((u64)mnt - bpf_core_field_offset(struct mount, mnt));
}
