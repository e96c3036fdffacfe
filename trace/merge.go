package trace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
)

// Row is one row of a Merge: exactly one of Event and Sequence is set, and Index
// is the row's place in it. All of it is valid until the next step.
type Row struct {
	TimeNS   int64
	Event    *EventBatch
	Sequence *SequenceBatch
	Index    int
	File     *File // the file that the row came from
	FileRow  int64 // its place in that file, from 0
}

// Merge yields the rows of all events and sequences of the traces in the order
// of time. Rows of the same time come by host, table (events first), file and
// row.
//
// Rows that stand out of order in a file by less than one record (8192 rows) are
// put into order, as long as they are in the same record; what is left of the
// disorder comes through, so that a reader must allow for rows that are late.
// Memory is bounded by one record for each file whose time the pass is in: two
// per host where the files of a table do not overlap. An error ends the
// sequence.
func Merge(ctx context.Context, traces ...*Trace) iter.Seq2[Row, error] {
	var files []File
	for _, t := range traces {
		files = append(files, t.files[Events]...)
		files = append(files, t.files[Sequences]...)
	}
	return MergeFiles(ctx, files)
}

// MergeFiles is Merge over files of events and sequences.
func MergeFiles(ctx context.Context, files []File) iter.Seq2[Row, error] {
	return mergeFiles(ctx, files, nil, false)
}

// MergeColumns is MergeFiles that reads only the columns that are named for a table,
// time_ns among them: of the others every row is null, empty or 0. A table that is not
// named is read whole.
func MergeColumns(ctx context.Context, files []File, columns map[Table][]string) iter.Seq2[Row, error] {
	return mergeFiles(ctx, files, columns, false)
}

// MergeInPlace is MergeFiles that reads each record of a file into the memory of
// the one before, which is faster. A string of a row that is kept beyond the next
// step, as the key of a map too, becomes another.
func MergeInPlace(ctx context.Context, files []File) iter.Seq2[Row, error] {
	return mergeFiles(ctx, files, nil, true)
}

func mergeFiles(ctx context.Context, files []File, columns map[Table][]string, inPlace bool) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		m, err := newMerger(files)
		m.columns, m.inPlace = columns, inPlace
		defer m.close()
		if err == nil {
			err = m.run(ctx, yield)
		}
		if err != nil {
			yield(Row{}, err)
		}
	}
}

// merger holds the open sources as a heap, the next row's on top, and the files
// whose time has not come.
type merger struct {
	heap    []*mergeSource
	pending []*mergeSource // by FromNS, then rank
	columns map[Table][]string
	inPlace bool // records are read where those before them were
}

// mergeSource is one file and, while it is open, the record being read.
type mergeSource struct {
	file      File
	rank      int // place among all files: host, table, file
	cursor    *parquetCursor
	events    *EventBatch
	sequences *SequenceBatch
	times     []int64
	order     []int32 // rows of the record by time, where they are not in order
	pos       int     // of the next row, in order
	base      int64   // rows of the records before
	timeNS    int64   // of the next row
}

func newMerger(files []File) (*merger, error) {
	m := &merger{}
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Meta.Host, b.Meta.Host), cmp.Compare(a.Table, b.Table), compareFiles(a, b))
	})
	for i, f := range files {
		if f.Table != Events && f.Table != Sequences {
			return m, fmt.Errorf("%s: want events or sequences, got %s", f.Path, f.Table)
		}
		if f.Rows > 0 {
			m.pending = append(m.pending, &mergeSource{file: f, rank: i})
		}
	}
	slices.SortStableFunc(m.pending, func(a, b *mergeSource) int {
		return cmp.Compare(a.file.Meta.FromNS, b.file.Meta.FromNS)
	})
	return m, nil
}

// errStopped says that the caller wants no more rows.
var errStopped = errors.New("stopped")

func (m *merger) run(ctx context.Context, yield func(Row, error) bool) error {
	for {
		if err := m.openDue(ctx); err != nil {
			return err
		}
		if len(m.heap) == 0 {
			return nil
		}
		s := m.heap[0]
		if err := s.emit(m.limit(), yield); err != nil {
			if errors.Is(err, errStopped) {
				return nil
			}
			return err
		}
		if s.pos == len(s.times) {
			more, err := s.load(ctx)
			if err != nil {
				return err
			}
			if !more {
				m.pop()
				continue
			}
		}
		m.down(0)
	}
}

// openDue opens the files that may hold the next row.
func (m *merger) openDue(ctx context.Context) error {
	for len(m.pending) > 0 && (len(m.heap) == 0 || m.pending[0].file.Meta.FromNS <= m.heap[0].timeNS) {
		s := m.pending[0]
		m.pending = m.pending[1:]
		var err error
		if s.cursor, err = openCursor(s.file, 0, m.columns[s.file.Table]); err != nil {
			return err
		}
		s.cursor.reuse = m.inPlace
		m.heap = append(m.heap, s)
		more, err := s.load(ctx)
		if err != nil {
			return err
		}
		if !more {
			s.close()
			m.heap = m.heap[:len(m.heap)-1]
			continue
		}
		m.up(len(m.heap) - 1)
	}
	return nil
}

// mergeLimit is where the source on top stops being the next: at a row of
// another source, or where a file is due.
type mergeLimit struct {
	timeNS int64
	rank   int
	none   bool
}

func (m *merger) limit() mergeLimit {
	l := mergeLimit{none: true}
	for _, s := range m.heap[1:min(3, len(m.heap))] {
		if l.none || s.timeNS < l.timeNS || s.timeNS == l.timeNS && s.rank < l.rank {
			l = mergeLimit{timeNS: s.timeNS, rank: s.rank}
		}
	}
	if len(m.pending) > 0 {
		// A file that is due at a row's time is opened before that row.
		if due := m.pending[0].file.Meta.FromNS; l.none || due <= l.timeNS {
			l = mergeLimit{timeNS: due, rank: -1}
		}
	}
	return l
}

// emit yields the record's rows below the limit, the first one in any case.
func (s *mergeSource) emit(l mergeLimit, yield func(Row, error) bool) error {
	row := Row{Event: s.events, Sequence: s.sequences, File: &s.file}
	for first := true; s.pos < len(s.times); first = false {
		i := s.pos
		if s.order != nil {
			i = int(s.order[i])
		}
		t := s.times[i]
		if !first && !l.none && (t > l.timeNS || t == l.timeNS && s.rank > l.rank) {
			s.timeNS = t
			return nil
		}
		s.pos++
		row.TimeNS, row.Index, row.FileRow = t, i, s.base+int64(i)
		if !yield(row, nil) {
			return errStopped
		}
	}
	return nil
}

// load replaces the record by the next one; false means that there is none.
func (s *mergeSource) load(ctx context.Context) (bool, error) {
	s.release()
	s.base += int64(len(s.times))
	rec, err := s.cursor.next(ctx)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if s.file.Table == Events {
		if s.events, err = ViewEvents(rec); err == nil {
			s.times = s.events.timeNS
		}
	} else if s.sequences, err = ViewSequences(rec); err == nil {
		s.times = s.sequences.timeNS
	}
	if err != nil {
		rec.Release()
		return false, &FileError{s.file.Path, err}
	}
	return true, s.sort()
}

// sort prepares the record's rows: in order of time, within the file's range.
func (s *mergeSource) sort() error {
	s.pos, s.order = 0, nil
	from, to, sorted := s.times[0], s.times[0], true
	for i, t := range s.times {
		if i > 0 && t < s.times[i-1] {
			sorted = false
		}
		from, to = min(from, t), max(to, t)
	}
	if from < s.file.Meta.FromNS || to > s.file.Meta.ToNS {
		return fmt.Errorf("%s: rows from %d on: times [%d, %d] lie outside of the file's [%d, %d]",
			s.file.Path, s.base, from, to, s.file.Meta.FromNS, s.file.Meta.ToNS)
	}
	s.timeNS = from
	if sorted {
		return nil
	}
	s.order = make([]int32, len(s.times))
	for i := range s.order {
		s.order[i] = int32(i)
	}
	slices.SortFunc(s.order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.times[a], s.times[b]), cmp.Compare(a, b))
	})
	return nil
}

func (s *mergeSource) release() {
	switch {
	case s.events != nil:
		s.events.rec.Release()
	case s.sequences != nil:
		s.sequences.rec.Release()
	}
	s.events, s.sequences = nil, nil
}

func (s *mergeSource) close() {
	s.release()
	s.cursor.f.close()
	s.cursor, s.times, s.order = nil, nil, nil // who knows the file may keep s, not its pages
}

func (m *merger) close() {
	for _, s := range m.heap {
		s.close()
	}
	m.heap = nil
}

func (m *merger) less(i, j int) bool {
	a, b := m.heap[i], m.heap[j]
	return a.timeNS < b.timeNS || a.timeNS == b.timeNS && a.rank < b.rank
}

func (m *merger) pop() {
	last := len(m.heap) - 1
	m.heap[0].close()
	m.heap[0] = m.heap[last]
	m.heap = m.heap[:last]
	m.down(0)
}

func (m *merger) up(i int) {
	for ; i > 0 && m.less(i, (i-1)/2); i = (i - 1) / 2 {
		m.heap[i], m.heap[(i-1)/2] = m.heap[(i-1)/2], m.heap[i]
	}
}

func (m *merger) down(i int) {
	for {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(m.heap) && m.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}
