// SPDX-License-Identifier: GPL-2.0
// What waits in the kernel until somebody asks for it: the calls of threads that
// sleep, and operations of io_uring that do not end.
#pragma once

#include "uring.h"

// Threads that sleep do not flush their chunk themselves. User space reads this
// iterator about once a second, and at the end (then with a new epoch, so that
// nothing is left behind, and with `detached`, so that the calls that threads are
// blocked in are there).
SEC("iter/task")
int flush_idle(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread *t;

	if (!task) // the end of the list
		return ring_traced ? flush_held() : 0;
	t = known_thread(task);
	if (!t || !t->record)
		return 0;
	if (detached) {
		s32 nr = blocked_call(task);

		if (nr >= 0)
			append_blocked(t, task, call_code(nr, is_compat(task)));
	} else if (t->epoch == epoch) {
		return 0;
	}
	if (t->n > t->sent)
		flush(t, task, false);
	return 0;
}
