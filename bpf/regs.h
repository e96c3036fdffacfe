// SPDX-License-Identifier: GPL-2.0
// The registers of a call: its number, its arguments, and which table it is of.
#pragma once

#include "read.h"

#define TS_COMPAT 2           // x86, thread_info.status
#define TIF_32BIT (1UL << 22) // arm64, thread_info.flags
#define PSR_MODE32_BIT 0x10   // arm64, pstate
#define STACK_BYTES 16384     // of the kernel's stack, without KASAN

volatile const bool no_task_regs; // bpf_task_pt_regs: Linux 5.15

#define has_task_regs() \
	(!no_task_regs && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))

// REGISTER is a field of what user_regs returned, or a tracepoint passed.
#define REGISTER(FIELD)                                      \
	({                                                   \
		typeof(regs->FIELD) value;                   \
		if (has_task_regs())                         \
			value = regs->FIELD;                 \
		else                                         \
			value = BPF_CORE_READ(regs, FIELD);  \
		value;                                       \
	})

// is_compat says whether the task is in a call of the 32-bit table.
static __always_inline bool is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return OF(task, thread_info.status) & TS_COMPAT;
#else
	return OF(task, thread_info.flags) & TIF_32BIT;
#endif
}

// is_compat_call is is_compat of the current task, which is the one at an address.
static __always_inline bool is_compat_call(const struct pt_regs *regs, u64 task)
{
#if defined(__TARGET_ARCH_x86)
	if (can_cast())
		return is_compat(CAST(struct task_struct, task));
	return is_compat(current_task());
#else
	return regs->pstate & PSR_MODE32_BIT;
#endif
}

// call_number is -1 where the registers are not of a call: of an interrupt or a
// fault, or put back by sigreturn, which is a call.
static __always_inline s32 call_number(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(regs, orig_ax);
#else
	return BPF_CORE_READ(regs, syscallno);
#endif
}

// call_code is how a sequence writes a call down.
static __always_inline u16 call_code(s32 nr, bool compat)
{
	return (nr & 0x7fff) | (compat ? COMPAT_CALL : 0);
}

static __always_inline u64 argument(struct pt_regs *regs, u8 i)
{
#if defined(__TARGET_ARCH_x86)
	switch (i) {
	case 1: return REGISTER(di);
	case 2: return REGISTER(si);
	case 3: return REGISTER(dx);
	case 4: return REGISTER(r10);
	case 5: return REGISTER(r8);
	case 6: return REGISTER(r9);
	}
#else
	switch (i) {
	case 1: return REGISTER(orig_x0);
	case 2: return REGISTER(regs[1]);
	case 3: return REGISTER(regs[2]);
	case 4: return REGISTER(regs[3]);
	case 5: return REGISTER(regs[4]);
	case 6: return REGISTER(regs[5]);
	}
#endif
	return 0;
}

// compat_argument is argument of a call of the 32-bit table.
static __always_inline u32 compat_argument(struct pt_regs *regs, u8 i)
{
#if defined(__TARGET_ARCH_x86)
	switch (i) {
	case 1: return REGISTER(bx);
	case 2: return REGISTER(cx);
	case 3: return REGISTER(dx);
	case 4: return REGISTER(si);
	case 5: return REGISTER(di);
	case 6: return REGISTER(bp);
	}
	return 0;
#else
	return argument(regs, i);
#endif
}

// user_regs are the registers with which a task came into the kernel last. They
// lie at the top of its stack.
static __always_inline struct pt_regs *user_regs(struct task_struct *task)
{
	if (has_task_regs())
		return (struct pt_regs *)bpf_task_pt_regs(task);
	return OF(task, stack) + STACK_BYTES - bpf_core_type_size(struct pt_regs);
}
