package feature

import (
	"fmt"
	"math/bits"
	"sort"

	"mayfly/profile"
	"mayfly/trace"
)

// dealer is what dealing out rows remembers between them.
type dealer struct {
	file    *trace.File // of the row before, when known
	known   bool
	source  // of that file
	sources map[*trace.File]source
	hosts   map[string]int32
	threads threads
	paths   [4]map[string][]byte // open for reading, for writing, and the same refused: path → item
	items   []profile.Item
	text    []byte // of one of them
}

// maxPaths bounds the memory of item texts; it is emptied when full.
const maxPaths = 1 << 14

func newDealer(maxThreads int) dealer {
	return dealer{hosts: map[string]int32{}, sources: map[*trace.File]source{}, threads: newThreads(maxThreads),
		paths: [4]map[string][]byte{{}, {}, {}, {}}}
}

// source is what the rows of a file share.
type source struct {
	host   string
	hostID int32
	table  *trace.CallTable // nil: sequences hold Calls already
}

// maxSources bounds the files remembered; there are few open at a time.
const maxSources = 256

// enter notes the file that a row is of. A file that names no machine holds
// Calls in its sequences.
func (d *dealer) enter(file *trace.File) error {
	if file == d.file && d.known {
		return nil
	}
	s, ok := d.sources[file]
	if !ok {
		var meta trace.Meta
		if file != nil {
			meta = file.Meta
		}
		s.host = meta.Host
		if meta.Arch != "" {
			table, err := callTable(meta.Arch)
			if err != nil {
				return fmt.Errorf("%s: %w", file.Path, err)
			}
			s.table = table
		}
		if s.hostID, ok = d.hosts[meta.Host]; !ok {
			s.hostID = int32(len(d.hosts))
			d.hosts[meta.Host] = s.hostID
		}
		if len(d.sources) >= maxSources {
			clear(d.sources)
		}
		d.sources[file] = s
	}
	d.file, d.known, d.source = file, true, s
	return nil
}

func (w *Windower) deal(row trace.Row) error {
	if err := w.dealer.enter(row.File); err != nil {
		return err
	}
	var container string
	if row.Event != nil {
		container = row.Event.ContainerID(row.Index)
	} else {
		container = row.Sequence.ContainerID(row.Index)
	}
	if container == "" && !w.opts.HostToo {
		w.report.HostRows++
		return nil
	}
	key := containerKey{w.dealer.host, container}
	if row.Event != nil {
		return w.dealEvent(key, row)
	}
	return w.dealSequence(key, row)
}

// missed counts a row that found no window.
func (w *Windower) missed(start int64) {
	if start < w.closed {
		w.report.LateRows++
	} else {
		w.report.FullRows++
	}
}

func (w *Windower) dealEvent(key containerKey, row trace.Row) error {
	start := floorTo(row.TimeNS, w.opts.WidthNS)
	o, err := w.window(key, start)
	if err != nil {
		return err
	}
	if o == nil {
		w.missed(start)
		return nil
	}
	w.active(o, row.Event.PID(row.Index), row.Event.TID(row.Index))
	countEvent(o, row.Event, row.Index)
	w.relate(o, row.Event, row.Index, row.TimeNS)
	w.addItems(o, row.Event, row.Index)
	return nil
}

func (w *Windower) active(o *openWindow, pid, tid int32) {
	w.tally(o, &o.pids, uint32(max(pid, 0)))
	w.tally(o, &o.tids, uint32(max(tid, 0)))
}

// maxActive bounds the processes, and the threads, that a window tells apart.
const maxActive = 1 << 15

func (w *Windower) tally(o *openWindow, t *tally, key uint32) {
	if isNew, _ := t.add(key, 1, maxActive); isNew {
		o.cells++
		w.cells++
	}
}

// dealSequence deals a run of calls out to the windows that it spans. The calls
// are taken as evenly spread over the span, the first at its start.
func (w *Windower) dealSequence(key containerKey, row trace.Row) error {
	s, i := row.Sequence, row.Index
	calls := s.Calls(i)
	span := min(max(s.SpanNS(i), 0), maxTimeNS-row.TimeNS)
	thread := threadKey{w.dealer.hostID, s.PID(i), s.TID(i), s.StartNS(i)}
	last := w.dealer.threads.resume(thread, s.Chunk(i))
	missedAt, missed := int64(0), false
	for from := 0; from < len(calls); {
		at := row.TimeNS + scale(span, from, len(calls))
		start := floorTo(at, w.opts.WidthNS)
		within := func(i int) bool { return row.TimeNS+scale(span, i, len(calls)) < start+w.opts.WidthNS }
		to := len(calls)
		if !within(to - 1) {
			to = from + sort.Search(to-from, func(i int) bool { return !within(from + i) })
		}
		o, err := w.window(key, start)
		if err != nil {
			return err
		}
		if o == nil && !missed {
			missedAt, missed = start, true
		}
		if o != nil {
			w.active(o, s.PID(i), s.TID(i))
		}
		w.addCalls(o, last, calls[from:to])
		from = to
	}
	if missed {
		w.missed(missedAt)
	}
	return nil
}

// scale is span·part/whole without overflow; 0 ≤ part < whole.
func scale(span int64, part, whole int) int64 {
	high, low := bits.Mul64(uint64(span), uint64(part))
	n, _ := bits.Div64(high, low, uint64(whole))
	return int64(n)
}

// addCalls counts calls and the trigrams that end with them. Without a window
// the thread's last calls move on all the same.
func (w *Windower) addCalls(o *openWindow, last *lastCalls, calls []uint16) {
	for _, c := range calls {
		if w.dealer.table != nil {
			c = w.dealer.table.Call(c)
		}
		if o != nil {
			if isNew, _ := o.calls.add(uint32(c), 1, 1<<16); isNew {
				o.cells++
				w.cells++
			}
			if last.n == 2 {
				isNew, full := o.trigrams.add(Trigram(last.a, last.b, c), 1, w.opts.MaxTrigrams)
				if isNew {
					o.cells++
					w.cells++
				} else if full {
					o.bump(NTrigramOverflow, 1)
				}
			}
		}
		last.push(c)
	}
	if o != nil {
		o.bump(NCalls, uint32(len(calls)))
	}
}

func (o *openWindow) bump(c Counter, n uint32) { o.counters[c] = addSat(o.counters[c], n) }
