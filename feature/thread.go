package feature

import (
	"sync"

	"mayfly/trace"
)

// threadKey is a thread of a host; the start of its process tells reused
// numbers apart.
type threadKey struct {
	host     int32
	pid, tid int32
	startNS  int64
}

// lastCalls are the last two calls of a thread.
type lastCalls struct {
	a, b  trace.Call
	n     uint8 // how many are known
	chunk int64 // that they were in
}

func (l *lastCalls) push(c trace.Call) {
	l.a, l.b = l.b, c
	l.n = min(l.n+1, 2)
}

// threads remembers the last calls of the threads seen lately: of at least
// limit/2 and at most limit. Two generations stand for an order of use.
type threads struct {
	limit      int
	young, old map[threadKey]*lastCalls
}

func newThreads(limit int) threads {
	return threads{limit: limit, young: map[threadKey]*lastCalls{}, old: map[threadKey]*lastCalls{}}
}

// resume returns the calls before a chunk, none where chunks are missing between. What
// is pushed to them until the next resume is remembered.
func (t *threads) resume(key threadKey, chunk int64) *lastCalls {
	l := t.young[key]
	if l == nil {
		if l = t.old[key]; l == nil {
			l = &lastCalls{}
		}
		if len(t.young) >= max(t.limit/2, 1) {
			t.old, t.young = t.young, map[threadKey]*lastCalls{}
		}
		t.young[key] = l
	}
	if chunk == 0 || l.chunk != chunk-1 {
		*l = lastCalls{}
	}
	l.chunk = chunk
	return l
}

var (
	callTablesMu sync.Mutex
	callTables   = map[string]*trace.CallTable{}
)

// callTable returns the table of a machine, made once.
func callTable(arch string) (*trace.CallTable, error) {
	callTablesMu.Lock()
	defer callTablesMu.Unlock()
	if t := callTables[arch]; t != nil {
		return t, nil
	}
	t, err := trace.NewCallTable(arch)
	if err != nil {
		return nil, err
	}
	callTables[arch] = t
	return t, nil
}
