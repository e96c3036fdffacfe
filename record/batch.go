package record

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"mayfly/trace"
)

// batch holds rows on their way to the writer. The reader fills one while the
// writer writes another; they are used again.
type batch struct {
	events     []trace.Event
	sequences  []trace.Sequence
	processes  []trace.Process
	containers []trace.Container
	losses     []trace.Loss
	calls      []uint16 // where the sequences' calls stand
	sync       bool     // after these rows, acknowledge
	seal       bool     // complete the files
	final      bool     // and these are the last
}

// Rows and calls at which a batch is handed on.
const (
	batchRows  = 2048
	batchCalls = 1 << 17
)

func (b *batch) full() bool {
	return len(b.events) >= batchRows || len(b.sequences) >= batchRows || len(b.calls) >= batchCalls
}

func (b *batch) reset() {
	clear(b.events) // let go of strings and numbers
	*b = batch{events: b.events[:0], sequences: b.sequences[:0], processes: b.processes[:0],
		containers: b.containers[:0], losses: b.losses[:0], calls: b.calls[:0]}
}

// addCalls copies the calls of a sequence record. Growing moves the calls of
// later rows only: earlier rows keep the array that they stand in.
func (b *batch) addCalls(raw []byte) []uint16 {
	from := len(b.calls)
	for ; len(raw) >= 2; raw = raw[2:] {
		b.calls = append(b.calls, binary.LittleEndian.Uint16(raw))
	}
	return b.calls[from:len(b.calls):len(b.calls)]
}

// copyCalls does the same for calls that stood elsewhere.
func (b *batch) copyCalls(calls []uint16) []uint16 {
	from := len(b.calls)
	b.calls = append(b.calls, calls...)
	return b.calls[from:len(b.calls):len(b.calls)]
}

// sortRows puts rows in order, those that are equal in the one they came in. Most
// stand right already, and a row is some hundred bytes: what is sorted is their
// numbers, and each row that has to move does so once.
func sortRows[T any](rows []T, compare func(x, y *T) int) {
	at := 1
	for at < len(rows) && compare(&rows[at-1], &rows[at]) <= 0 {
		at++
	}
	if at >= len(rows) {
		return
	}
	from := make([]int, len(rows)) // from[i] is where the row is that belongs at i
	for i := range from {
		from[i] = i
	}
	slices.SortStableFunc(from, func(i, j int) int { return compare(&rows[i], &rows[j]) })
	for i := range from {
		if from[i] == i {
			continue
		}
		first := rows[i]
		for to := i; ; { // once around the ring of rows that take each other's places
			next := from[to]
			from[to] = to
			if next == i {
				rows[to] = first
				break
			}
			rows[to] = rows[next]
			to = next
		}
	}
}

// write puts rows in the order of time and hands them to the trace. Where one
// table fails the others go on.
func (b *batch) write(w *trace.Recording) error {
	sortRows(b.events, func(x, y *trace.Event) int { return cmp.Compare(x.TimeNS, y.TimeNS) })
	sortRows(b.sequences, func(x, y *trace.Sequence) int {
		return cmp.Or(cmp.Compare(x.TimeNS, y.TimeNS), cmp.Compare(x.TID, y.TID), cmp.Compare(x.Chunk, y.Chunk))
	})
	err := errors.Join(w.Events(b.events), w.Sequences(b.sequences), w.Processes(b.processes),
		w.Containers(b.containers), w.Losses(b.losses))
	switch {
	case b.seal || b.final:
		err = errors.Join(err, w.Seal(b.final))
	case b.sync:
		err = errors.Join(err, w.Sync())
	}
	return err
}
