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

// sortRows puts rows in order, of which most are: a row is some hundred bytes, so
// they are compared where they stand, and moved only where one has to be.
func sortRows[T any](rows []T, compare func(x, y *T) int) {
	for i := 1; i < len(rows); i++ {
		if compare(&rows[i-1], &rows[i]) > 0 {
			slices.SortStableFunc(rows, func(x, y T) int { return compare(&x, &y) })
			return
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
