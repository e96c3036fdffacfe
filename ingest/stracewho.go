package ingest

import "bytes"

// attach notes a thread that strace says is new.
func (d *straceReader) attach(id []byte) {
	if n := decimal(id); n > 0 && n <= 1<<22 {
		if d.attached == nil || len(d.attached) >= maxThreads {
			d.attached = map[int32]bool{}
		}
		d.attached[int32(n)] = true
	}
}

// whose finds out whose a line is. To standard error strace names a line's thread
// only while there are several: the first that is named and is not new is the one
// that was alone, and a line without a name is of the one that is left.
func (d *straceReader) whose(s *straceParts) {
	if s.tid == 0 {
		if d.named && len(d.f.threads) == 1 {
			for s.tid = range d.f.threads {
			}
		}
		return
	}
	if d.named {
		return
	}
	first, ok := d.f.threads[0]
	if ok && (len(d.attached) == 0 || d.attached[s.tid]) {
		return
	}
	if d.named = true; !ok || d.f.threads[s.tid] != nil {
		return
	}
	first.process.row.PID, first.run.TID, first.run.PID = s.tid, s.tid, s.tid
	d.f.threads[s.tid] = first
	delete(d.f.threads, 0)
	if p, ok := d.pending[0]; ok {
		d.pending[s.tid] = p
		delete(d.pending, 0)
	}
}

// mode takes what strace says of itself: "[ Process PID=12 runs in 32 bit mode. ]".
func (d *straceReader) mode(b []byte) error {
	rest, ok := bytes.CutPrefix(b, []byte("[ Process PID="))
	if !ok {
		return nil
	}
	pid, rest, ok := straceID(rest, ' ')
	if !ok {
		return nil
	}
	if d.compat == nil || len(d.compat) > maxThreads {
		d.compat = map[int32]bool{}
	}
	delete(d.compat, pid)
	if bytes.HasPrefix(rest, []byte("runs in 32 bit")) {
		d.compat[pid] = true
	}
	return nil
}
