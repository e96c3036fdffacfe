package trace

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// WriterOptions say how a Writer lays out its files. The zero value of a field
// means its default.
type WriterOptions struct {
	GroupRows  int64 // rows of a row group at most; default 131072
	GroupBytes int64 // bytes of a row group in memory, about; default 12 MiB
}

// DefaultWriterOptions returns the layout for a recorder: a table's open row
// group takes some 12 MiB at most.
func DefaultWriterOptions() WriterOptions {
	return WriterOptions{GroupRows: 1 << 17, GroupBytes: 12 << 20}
}

// Writer writes one host's rows into a trace directory. There must be no second
// Writer for the same host and directory at the same time. It is safe for
// concurrent use.
//
// Rows of a table go to one open file, which has its name and is complete only
// after Seal. An error of a table's method or of Seal means that the table's
// open file is gone, with all rows since the last Seal; the Writer goes on.
type Writer struct {
	mu         sync.Mutex
	disk       disk
	meta       Meta
	opts       WriterOptions
	codec      compress.Codec
	number     int64 // <n> of the files that the next Seal names
	sealed     []sealedFile
	reopened   func() error // after the trace directory was made anew; may be nil
	last       int64        // the latest time of any row so far
	final      bool         // the last Seal was final and nothing came after it
	events     tableWriter[Event]
	sequences  tableWriter[Sequence]
	processes  tableWriter[Process]
	containers tableWriter[Container]
	losses     tableWriter[Loss]
}

// HostFolder is a host's name as a folder of a trace has it, behind "host=". Two
// hosts may share one.
func HostFolder(host string) string { return pathText(host) }

// NewWriter returns the writer of a host's rows in dir, which it creates (mode
// 0700) where it is missing. meta goes into each file; its FromNS, ToNS and
// Final are the Writer's to set.
func NewWriter(dir string, meta Meta, opts WriterOptions) (*Writer, error) {
	if dir == "" {
		return nil, errors.New("trace directory: has no name")
	}
	d, err := openDisk(dir)
	if err != nil {
		return nil, err
	}
	return newWriter(d, meta, opts), nil
}

func newWriter(on disk, meta Meta, opts WriterOptions) *Writer {
	d := DefaultWriterOptions()
	opts.GroupRows = cmp.Or(opts.GroupRows, d.GroupRows)
	opts.GroupBytes = cmp.Or(opts.GroupBytes, d.GroupBytes)
	return &Writer{
		disk: on, meta: meta, opts: opts, last: meta.FromNS, codec: newPageCodec(),
		events:     tableWriter[Event]{table: Events, times: eventTimes, texts: eventTexts, escaped: func(e *Event) *bool { return &e.Escaped }},
		sequences:  tableWriter[Sequence]{table: Sequences, times: sequenceTimes, texts: sequenceTexts, escaped: func(s *Sequence) *bool { return &s.Escaped }},
		processes:  tableWriter[Process]{table: Processes, times: processTimes, texts: processTexts, escaped: func(p *Process) *bool { return &p.Escaped }},
		containers: tableWriter[Container]{table: Containers, times: containerTimes, texts: containerTexts, escaped: func(c *Container) *bool { return &c.Escaped }},
		losses:     tableWriter[Loss]{table: Losses, times: lossTimes, texts: lossTexts},
	}
}

// Events appends rows to the events table. Like its sisters it keeps nothing of
// the slice. Rows should come about in the order of time.
func (w *Writer) Events(rows []Event) error { return write(w, &w.events, rows) }

// Sequences appends rows to the sequences table.
func (w *Writer) Sequences(rows []Sequence) error { return write(w, &w.sequences, rows) }

// Processes appends rows to the processes table.
func (w *Writer) Processes(rows []Process) error { return write(w, &w.processes, rows) }

// Containers appends rows to the containers table.
func (w *Writer) Containers(rows []Container) error { return write(w, &w.containers, rows) }

// Losses appends rows to the losses table.
func (w *Writer) Losses(rows []Loss) error { return write(w, &w.losses, rows) }

// Seal completes the open file of each table and gives it its name; the next
// rows open new files. final marks the files as the last ones of a recording
// that ended in good order; where no file is open, a losses file without rows
// carries that mark. An error names each table whose rows were lost.
func (w *Writer) Seal(final bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seal(final)
}

func (w *Writer) seal(final bool) error {
	var errs []error
	if final && !w.final && w.losses.file == nil { // the last file to be sealed says that it is the last
		errs = append(errs, w.losses.open(w, w.last))
	}
	w.final, w.sealed = final, w.sealed[:0]
	for _, t := range w.tables() {
		errs = append(errs, t.seal(w, final))
	}
	w.number++
	return errors.Join(errs...)
}

// table is what the tableWriters have in common.
type table interface {
	name() Table
	open(w *Writer, ns int64) error
	seal(w *Writer, final bool) error
	abort() error
	move() error
	failed() (failed, stays bool) // of the last seal; stays: its rows are there all the same, unless power is cut
}

func (w *Writer) tables() []table {
	return []table{&w.events, &w.sequences, &w.processes, &w.containers, &w.losses}
}

func (w *Writer) open() bool {
	return w.events.file != nil || w.sequences.file != nil || w.processes.file != nil ||
		w.containers.file != nil || w.losses.file != nil
}

// Close does Seal(true), unless that was the last thing that happened.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.final && !w.open() {
		return nil
	}
	return w.seal(true)
}

// Abort removes the open files. What was sealed stays.
func (w *Writer) Abort() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.abort()
}

// sealedFile is a file that was named since somebody last looked.
type sealedFile struct {
	name         string // below the trace directory
	table        Table
	fromNS, toNS int64
	rows, bytes  int64
}

// reopen makes the trace directory anew where it was removed, and the open files in it.
func (w *Writer) reopen() error {
	if err := w.disk.reopen(); err != nil {
		return err
	}
	if w.reopened != nil {
		return w.reopened()
	}
	return nil
}

func (w *Writer) abort() (err error) {
	for _, t := range w.tables() {
		err = errors.Join(err, t.abort())
	}
	return err
}

// folder returns the folder of a table's files that begin at ns.
func (w *Writer) folder(t Table, ns int64) string {
	return path.Join(string(t), "host="+pathText(w.meta.Host),
		"date="+time.Unix(0, ns).UTC().Format(time.DateOnly))
}

// pageBytes is how much of a column waits in memory before it becomes a page. All
// columns of all tables together took 25 MB at parquet-go's 256 KiB; files are 3 %
// larger for it (BenchmarkWriteEvents).
const pageBytes = 64 << 10

// tableWriter writes one table's open file.
type tableWriter[T any] struct {
	table    Table
	times    func(*T) (from, to int64)
	texts    func(*T, func(*string))
	escaped  func(*T) *bool // nil: no text of it is from outside
	file     *draft
	parquet  *parquet.GenericWriter[T]
	rows     int64
	flushed  int64 // bytes of the closed row groups
	from, to int64
	bad      bool // the last open, write or seal failed
	stays    bool // but its file has its name, and could not be removed
}

func write[T any](w *Writer, t *tableWriter[T], rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.file == nil {
		from, _ := t.times(&rows[0])
		if err := t.open(w, from); err != nil {
			return err
		}
	}
	if err := t.write(w, rows); err != nil {
		return fmt.Errorf("table %s: %d rows are lost: %w", t.table, t.rows+int64(len(rows)),
			errors.Join(err, t.abort()))
	}
	w.last = max(w.last, t.to)
	return nil
}

// open creates the temporary file in the folder of the time ns.
func (t *tableWriter[T]) open(w *Writer, ns int64) error {
	file, err := newDraft(w.disk, path.Join(w.folder(t.table, ns), fmt.Sprintf("%s-%d.parquet", t.table, w.number)))
	if err != nil {
		return fmt.Errorf("table %s: %w", t.table, err)
	}
	w.final = false
	t.file, t.rows, t.flushed, t.from, t.to = file, 0, 0, ns, ns
	if t.parquet == nil {
		t.parquet = parquet.NewGenericWriter[T](file, append(layout(w.opts.GroupRows, w.codec), parquet.PageBufferSize(pageBytes))...)
	} else {
		t.parquet.Reset(file)
	}
	return nil
}

func (t *tableWriter[T]) write(w *Writer, rows []T) (err error) {
	defer recovered(&err)
	rows = t.cleaned(rows)
	if _, err := t.parquet.Write(rows); err != nil {
		return err
	}
	for i := range rows {
		from, to := t.times(&rows[i])
		t.from, t.to = min(t.from, from), max(t.to, to)
	}
	t.rows += int64(len(rows))
	if t.parquet.Size()-t.flushed < w.opts.GroupBytes {
		return nil
	}
	err = t.parquet.Flush()
	t.flushed = t.parquet.Size()
	return err
}

// cleaned returns rows, or a copy of them where a text is no UTF-8.
func (t *tableWriter[T]) cleaned(rows []T) []T {
	dirty := false
	look := func(s *string) { dirty = dirty || !utf8.ValidString(*s) }
	for i := range rows {
		if t.texts(&rows[i], look); !dirty {
			continue
		}
		rows = slices.Clone(rows)
		for j := i; j < len(rows); j++ {
			t.clean(&rows[j])
		}
		break
	}
	return rows
}

// clean makes a row's texts UTF-8, and has the row say so where they were not.
func (t *tableWriter[T]) clean(row *T) {
	dirty := false
	t.texts(row, func(s *string) { dirty = dirty || !utf8.ValidString(*s) })
	switch {
	case !dirty:
	case t.escaped == nil:
		t.texts(row, func(s *string) { *s = validText(*s) })
	default:
		flag := t.escaped(row)
		t.texts(row, func(s *string) { *s = escape(*s, *flag) })
		*flag = true
	}
}

// seal completes the open file and names it after its first row's time.
func (t *tableWriter[T]) seal(w *Writer, final bool) error {
	t.bad, t.stays = false, false
	if t.file == nil {
		return nil
	}
	meta := w.meta
	meta.FromNS, meta.ToNS, meta.Final = t.from, t.to, final
	for _, pair := range meta.pairs(t.table) {
		t.parquet.SetKeyValueMetadata(pair[0], pair[1])
	}
	err := closeParquet(t.parquet.Close)
	if err != nil {
		err = errors.Join(err, t.abort())
	} else if err = t.commit(w); err == nil {
		t.file, t.rows = nil, 0
		return nil
	}
	t.file, t.parquet, t.bad = nil, nil, true
	return fmt.Errorf("table %s: %d rows are lost: %w", t.table, t.rows, err)
}

// commit names the complete file. Where the trace directory was removed, it
// writes the file into a new one. On an error the file is gone.
func (t *tableWriter[T]) commit(w *Writer) error {
	err := t.place(w)
	if errors.Is(err, fs.ErrNotExist) && w.disk.displaced() {
		if err = w.reopen(); err == nil {
			if err = t.file.move(); err == nil {
				err = t.place(w)
			}
		}
	}
	if err != nil {
		err = errors.Join(err, t.file.abort())
		t.stays = t.file.stays
	}
	return err
}

func (t *tableWriter[T]) place(w *Writer) error {
	folder := w.folder(t.table, t.from)
	if err := mkdirs(w.disk, folder); err != nil {
		return err
	}
	for ; ; w.number++ {
		name := path.Join(folder, fmt.Sprintf("%s-%d-%d.parquet", t.table, t.from, w.number))
		switch _, err := w.disk.size(name); {
		case errors.Is(err, fs.ErrNotExist):
			if err := t.file.commit(name); err != nil {
				return err
			}
			w.sealed = append(w.sealed, sealedFile{name: name, table: t.table, fromNS: t.from, toNS: t.to,
				rows: t.rows, bytes: t.file.size})
			return nil
		case err != nil:
			return err
		}
	}
}

func (t *tableWriter[T]) name() Table          { return t.table }
func (t *tableWriter[T]) failed() (bool, bool) { return t.bad, t.stays }

// move writes the open file anew where its folder was removed.
func (t *tableWriter[T]) move() error {
	if t.file == nil {
		return nil
	}
	return t.file.move()
}

func (t *tableWriter[T]) abort() error {
	if t.file == nil {
		return nil
	}
	file := t.file
	t.file, t.parquet = nil, nil
	return file.abort()
}

// maxPathText bounds a host's name in a path.
const maxPathText = 100

// pathText returns a host's name as a folder's name: letters, digits, '.', '-'
// and '_' stay, all else becomes '_', and neither a dot nor nothing stands first.
func pathText(s string) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
	text = text[:min(len(text), maxPathText)]
	if text == "" || text[0] == '.' {
		text = "_" + text
	}
	return text
}
