// SPDX-License-Identifier: GPL-2.0
// What programs do through io_uring: no system call ends for it, so sys_exit does
// not see it.
//
// Hooks: tp_btf/io_uring_submit_req, which the kernel passes when a request is
// prepared, so that paths are its own copies, which no other thread can change;
// and io_uring_complete, for the result. Both run in a thread of the
// process that made the ring (it, the ring's poller, a worker), whose cgroup is
// that of the process. They cost nothing but the operations of rings. Linux 6.4;
// before, and where security hooks run, hook.h makes events of fewer operations,
// without a result. Where both are there, these do it and the hooks leave it.
//
// An event waits in `held` for its result. It goes without one where there is no
// room to wait, where the caller wants no word of a success (IOSQE_CQE_SKIP_SUCCESS),
// and after a second at least: a long operation, or a full completion queue.
#pragma once

#include "call.h"

#define HELD 128 // a power of two
#define HELD_FREE 0
#define HELD_TAKEN 1
#define HELD_WAITS 2
#define HELD_NS 1000000000ULL

// What scratch.args has of an event that is held.
#define HELD_REQUEST 0
#define HELD_DIRECT 1 // the file goes into the ring's own table: the result is no descriptor

#define RING_ACCEPT 13 // enum io_uring_op
#define RING_CONNECT 16
#define RING_OPENAT 18
#define RING_OPENAT2 28
#define RING_RENAMEAT 35
#define RING_UNLINKAT 36
#define RING_SYMLINKAT 38
#define RING_LINKAT 39
#define RING_BIND 56
#define RING_LISTEN 57
#define RING_OPS 64

#define ACCEPT_MULTISHOT 1    // IORING_ACCEPT_MULTISHOT
#define REQUEST_CQE_SKIP 0x40 // REQ_F_CQE_SKIP, which is IOSQE_CQE_SKIP_SUCCESS

#if defined(__TARGET_ARCH_x86)
#define O_LARGEFILE 0100000 // the kernel adds it to every open of a 64-bit program
#else
#define O_LARGEFILE 0400000
#endif

static const u8 ring_kinds[RING_OPS] = {
	[RING_ACCEPT] = KIND_ACCEPT,
	[RING_CONNECT] = KIND_CONNECT,
	[RING_OPENAT] = KIND_OPEN,
	[RING_OPENAT2] = KIND_OPEN,
	[RING_RENAMEAT] = KIND_RENAME,
	[RING_UNLINKAT] = KIND_UNLINK,
	[RING_SYMLINKAT] = KIND_LINK,
	[RING_LINKAT] = KIND_LINK,
	[RING_BIND] = KIND_BIND,
	[RING_LISTEN] = KIND_LISTEN,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HELD);
	__type(key, u32);
	__type(value, struct scratch);
} held SEC(".maps");

// An accept that goes on: each of its results comes without its request.
struct accept_key {
	u64 ring;
	u64 user_data;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct accept_key);
	__type(value, u64); // the socket's file
} accepts SEC(".maps");

volatile const bool ring_result; // io_uring_complete passes a struct io_uring_cqe

static __always_inline struct scratch *held_at(u64 request, u32 i)
{
	u32 slot = ((((u32)request >> 6) * 0x9e3779b1u >> 16) + i * 31) & (HELD - 1);

	return bpf_map_lookup_elem(&held, &slot);
}

static __always_inline bool take_held(struct scratch *s)
{
	return __sync_val_compare_and_swap(&s->busy, HELD_WAITS, HELD_TAKEN) == HELD_WAITS;
}

// hold finds a place where the event of a request can wait; NULL: there is none.
// One that waited there for too long is sent, and so is one whose request was
// used again, which means that its end was not seen.
static __noinline struct scratch *hold(u64 request)
{
	boot_ns now = bpf_ktime_get_boot_ns();

	for (u32 i = 0; i < 4; i++) {
		struct scratch *s = held_at(request, i);

		if (!s)
			return NULL;
		if (s->busy == HELD_WAITS && take_held(s)) {
			if (s->args[HELD_REQUEST] == request || now - s->head.time > HELD_NS)
				event_end(s);
			else
				__sync_lock_test_and_set(&s->busy, HELD_WAITS);
		}
		if (__sync_val_compare_and_swap(&s->busy, HELD_FREE, HELD_TAKEN) != HELD_FREE)
			continue;
		s->len = 0;
		s->hooked = 0;
		s->args[HELD_REQUEST] = request;
		return s;
	}
	return NULL;
}

// held_of takes the event of a request out, NULL where none waits.
static __noinline struct scratch *held_of(u64 request)
{
	for (u32 i = 0; i < 4; i++) {
		struct scratch *s = held_at(request, i);

		if (!s)
			return NULL;
		if (s->busy != HELD_WAITS || s->args[HELD_REQUEST] != request || !take_held(s))
			continue;
		if (s->args[HELD_REQUEST] == request)
			return s;
		__sync_lock_test_and_set(&s->busy, HELD_WAITS); // another's by now
	}
	return NULL;
}

// flush_held sends what has waited for too long; all of it at the end.
static __noinline int flush_held(void)
{
	boot_ns now = bpf_ktime_get_boot_ns();

	for (u32 i = 0; i < HELD; i++) {
		u32 slot = i;
		struct scratch *s = bpf_map_lookup_elem(&held, &slot);

		if (!s)
			return 0;
		if (s->busy == HELD_WAITS && (detached || now - s->head.time > HELD_NS) && take_held(s))
			event_end(s);
	}
	return 0;
}

// add_copied adds the kernel's copy of a caller's path, and what it starts from.
static __noinline int add_copied(struct scratch *s, u32 type, struct filename *name, s32 dir)
{
	if (add_name(s, type, (u64)BPF_CORE_READ(name, name)) != '/')
		add_base(s, type + 1, dir);
	return 0;
}

static __noinline int open_request(struct scratch *s, struct io_open *open)
{
	s->head.flags = BPF_CORE_READ(open, how.flags) & ~(u64)O_LARGEFILE;
	s->head.mode = BPF_CORE_READ(open, how.mode);
	s->args[HELD_DIRECT] = BPF_CORE_READ(open, file_slot);
	return add_copied(s, SECTION_PATH, BPF_CORE_READ(open, filename), BPF_CORE_READ(open, dfd));
}

static __noinline int rename_request(struct scratch *s, struct io_rename *rename)
{
	s->head.flags = (u32)BPF_CORE_READ(rename, flags);
	add_copied(s, SECTION_PATH, BPF_CORE_READ(rename, oldpath), BPF_CORE_READ(rename, old_dfd));
	return add_copied(s, SECTION_PATH2, BPF_CORE_READ(rename, newpath), BPF_CORE_READ(rename, new_dfd));
}

static __noinline int link_request(struct scratch *s, struct io_link *link, bool symbolic)
{
	struct filename *old = BPF_CORE_READ(link, oldpath);

	if (symbolic) {
		add_name(s, SECTION_NAME, (u64)BPF_CORE_READ(old, name));
	} else {
		s->head.flags = (u32)BPF_CORE_READ(link, flags);
		add_copied(s, SECTION_PATH, old, BPF_CORE_READ(link, old_dfd));
	}
	return add_copied(s, SECTION_PATH2, BPF_CORE_READ(link, newpath), BPF_CORE_READ(link, new_dfd));
}

// add_request adds what a request says.
static __noinline int add_request(struct scratch *s, struct io_kiocb *req, u32 op)
{
	void *command = (void *)req + bpf_core_field_offset(struct io_kiocb, cmd);
	struct io_unlink *unlink = command;
	struct io_connect *connect = command;

	switch (op) {
	case RING_OPENAT:
	case RING_OPENAT2:
		return open_request(s, command);
	case RING_UNLINKAT:
		s->head.flags = (u32)BPF_CORE_READ(unlink, flags);
		return add_copied(s, SECTION_PATH, BPF_CORE_READ(unlink, filename), BPF_CORE_READ(unlink, dfd));
	case RING_RENAMEAT:
		return rename_request(s, command);
	case RING_LINKAT:
	case RING_SYMLINKAT:
		return link_request(s, command, op == RING_SYMLINKAT);
	case RING_CONNECT: // of one that succeeds the socket tells the peer
		return add_sockaddr(s, (u64)BPF_CORE_READ(connect, addr), (u32)BPF_CORE_READ(connect, addr_len));
	}
	return 0;
}

// note_accept remembers an accept that goes on.
static __noinline int note_accept(struct io_kiocb *req)
{
	struct io_accept *accept = (void *)req + bpf_core_field_offset(struct io_kiocb, cmd);
	struct accept_key key = {.ring = (u64)BPF_CORE_READ(req, ctx), .user_data = BPF_CORE_READ(req, cqe.user_data)};
	u64 direct = BPF_CORE_READ(accept, file_slot);

	if (BPF_CORE_READ(accept, iou_flags) & ACCEPT_MULTISHOT)
		bpf_map_update_elem(&accepts, &key, &direct, 0);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(ring_submitted, struct io_kiocb *req)
{
	u32 op = BPF_CORE_READ(req, opcode), kind = ring_kinds[op & (RING_OPS - 1)];
	struct task_struct *task;
	struct thread *t;
	struct scratch *s;
	bool waits = true;

	if (!kind || op >= RING_OPS)
		return 0;
	task = current_task();
	t = thread_of(task);
	if (!t || unwanted(t))
		return 0;
	if (op == RING_ACCEPT) // as any call that blocks: when it ends
		return note_accept(req);
	s = BPF_CORE_READ(req, flags) & REQUEST_CQE_SKIP ? NULL : hold((u64)req);
	if (!s) {
		s = take_scratch(t, kind);
		waits = false;
	}
	if (!s)
		return 0;
	fill_head(&s->head, t, task, kind);
	s->head.via = VIA_IO_URING;
	s->args[HELD_DIRECT] = 0;
	add_request(s, req, op);
	if (waits)
		__sync_lock_test_and_set(&s->busy, HELD_WAITS);
	else
		event_end(s);
	return 0;
}

static __always_inline void add_result(struct scratch *s, s32 ret)
{
	s->head.ret = ret;
	s->head.call = CALL_IO_URING_ENTER; // says that there is a result
}

// accepted makes the event of an accept. A socket that goes into the ring's own
// table has no descriptor: the listening one is named, where it is known.
static __noinline int accepted(s32 ret, bool direct, struct file *file)
{
	struct task_struct *task = current_task();
	struct thread *t = thread_of(task);
	struct scratch *s;

	if (!t || unwanted(t))
		return 0;
	s = take_scratch(t, KIND_ACCEPT);
	if (!s)
		return 0;
	fill_head(&s->head, t, task, KIND_ACCEPT);
	s->head.via = VIA_IO_URING;
	add_result(s, ret);
	if (ret >= 0 && !direct)
		add_sock_of(s, ret);
	else
		add_sock_file(s, file);
	event_end(s);
	return 0;
}

// accepted_again is for a result that comes without its request.
static __always_inline int accepted_again(u64 ring, u64 passed)
{
	struct io_uring_cqe *cqe = (void *)passed;
	struct accept_key key = {.ring = ring, .user_data = BPF_CORE_READ(cqe, user_data)};
	u64 *direct = bpf_map_lookup_elem(&accepts, &key);

	return direct ? accepted(BPF_CORE_READ(cqe, res), *direct, NULL) : 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(ring_completed, u64 ring, u64 request, u64 cqe)
{
	struct io_kiocb *req = (struct io_kiocb *)request;
	struct io_accept *accept;
	struct scratch *s;
	struct file *file;
	u32 op, kind;
	s32 ret;

	if (!req)
		return ring_result ? accepted_again(ring, cqe) : 0;
	op = BPF_CORE_READ(req, opcode);
	kind = ring_kinds[op & (RING_OPS - 1)];
	if (!kind || op >= RING_OPS)
		return 0;
	ret = BPF_CORE_READ(req, cqe.res);
	file = BPF_CORE_READ(req, file);
	if (op == RING_ACCEPT) {
		accept = (void *)req + bpf_core_field_offset(struct io_kiocb, cmd);
		return accepted(ret, BPF_CORE_READ(accept, file_slot), file);
	}
	s = held_of(request);
	if (!s)
		return 0;
	s->head.time = bpf_ktime_get_boot_ns();
	add_result(s, ret);
	if (kind == KIND_OPEN) {
		file = ret < 0 || s->args[HELD_DIRECT] || s->head.pid != bpf_get_current_pid_tgid() >> 32
			? NULL : (struct file *)file_at(ret);
		if (file)
			add_file(s, SECTION_FILE, file);
	} else if (kind == KIND_CONNECT || kind == KIND_BIND || kind == KIND_LISTEN) {
		add_sock_file(s, file);
	}
	event_end(s);
	return 0;
}
