// SPDX-License-Identifier: GPL-2.0
// Sockets that get a name or a peer: connect, bind, listen, accept.
//
// Called from sys_exit (call.h). Where the call succeeded, the addresses are those
// of the kernel's socket, which the caller cannot swap; where it failed, the
// sockaddr that the caller passed.
#pragma once

#include "path.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define EINPROGRESS 115

__noinline int add_unix(struct scratch *s, u32 type, u64 sock)
{
	struct unix_sock *unix = (struct unix_sock *)sock;
	struct unix_address *addr = BPF_CORE_READ(unix, addr);
	u8 *to = room(s);
	s32 len;

	if (!to || !addr)
		return 0;
	len = BPF_CORE_READ(addr, len) - 2;
	if (len <= 0 || len > 108)
		return 0;
	if (bpf_probe_read_kernel(to, len, (u8 *)addr + bpf_core_field_offset(struct unix_address, name) + 2))
		return 0;
	section_end(s, type, len, 0);
	return 0;
}

static __always_inline u16 swap16(u16 v)
{
	return v >> 8 | v << 8;
}

// add_sock adds the addresses of a socket.
__noinline int add_sock(struct scratch *s, u64 addr)
{
	struct sock_names *names = (struct sock_names *)room(s);
	struct sock *sk = (struct sock *)addr;

	if (!names || !sk)
		return 0;
	__builtin_memset(names, 0, sizeof(*names));
	names->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (names->family == AF_INET) {
		u32 addr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);

		__builtin_memcpy(names->local, &addr, 4);
		addr = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		__builtin_memcpy(names->peer, &addr, 4);
	} else if (names->family == AF_INET6) {
		bpf_probe_read_kernel(names->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(names->peer, 16, &sk->__sk_common.skc_v6_daddr);
	}
	if (names->family == AF_INET || names->family == AF_INET6) {
		names->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
		names->peer_port = swap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	}
	section_end(s, SECTION_SOCK, sizeof(*names), 0);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX) {
		struct unix_sock *unix = (struct unix_sock *)sk;

		add_unix(s, SECTION_UNIX_LOCAL, (u64)sk);
		sk = BPF_CORE_READ(unix, peer);
		if (sk)
			add_unix(s, SECTION_UNIX_PEER, (u64)sk);
	}
	return 1;
}

// add_sock_file adds the addresses of the socket behind a file, if it is one.
static __noinline int add_sock_file(struct scratch *s, struct file *file)
{
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return add_sock(s, (u64)BPF_CORE_READ(socket, sk));
}

static __always_inline int add_sock_of(struct scratch *s, s32 fd)
{
	return add_sock_file(s, (struct file *)file_at(fd));
}

__noinline int add_sockaddr(struct scratch *s, u64 addr, u64 len)
{
	u8 *to = room(s);

	if (!to || !addr)
		return 0;
	if (len > SOCKADDR_MAX)
		len = SOCKADDR_MAX;
	if (bpf_probe_read_user(to, len, (void *)addr))
		return 0;
	section_end(s, SECTION_SOCKADDR, len, 0);
	return 0;
}

// keep_address notes the kernel's copy of an address until the call ends.
static __noinline int keep_address(struct thread *t, u64 addr, u32 len)
{
	if (len > SOCKADDR_MAX)
		len = SOCKADDR_MAX;
	t->address_len = 0;
	if (bpf_probe_read_kernel(t->address, len, (void *)addr) == 0)
		t->address_len = len;
	return 0;
}

// add_address adds what keep_address noted, and forgets it.
static __noinline int add_address(struct scratch *s, struct thread *t)
{
	u8 *to = room(s);
	u32 len = t->address_len;

	t->address_len = 0;
	if (!to || !len || len > SOCKADDR_MAX)
		return 0;
	if (bpf_probe_read_kernel(to, len, t->address) == 0)
		section_end(s, SECTION_ADDRESS, len, 0);
	return 0;
}

// socketcall_kind is the kind of a call that socketcall stands for (SYS_BIND …).
static __always_inline u32 socketcall_kind(u32 call)
{
	switch (call) {
	case 2: return KIND_BIND;
	case 3: return KIND_CONNECT;
	case 4: return KIND_LISTEN;
	case 5:
	case 18: return KIND_ACCEPT;
	}
	return KIND_NONE;
}

// add_socket_call adds the names of the socket, and of a connect or bind the
// address: the kernel's copy where a hook saw it, and the caller's.
static __always_inline void add_socket_call(struct scratch *s, struct thread *t)
{
	u32 kind = s->head.kind;
	s32 fd = s->args[1];

	if (kind == KIND_ACCEPT && s->head.ret >= 0)
		fd = s->head.ret;
	add_sock_of(s, fd);
	if (kind == KIND_CONNECT || kind == KIND_BIND) {
		add_address(s, t);
		add_sockaddr(s, s->args[2], s->args[3]);
	}
}
