package trace

import (
	"cmp"
	"errors"
	"path"
	"strings"
	"sync"
	"time"

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
		events:     tableWriter[Event]{table: Events, times: eventTimes, texts: newRowTexts[Event](), escaped: func(e *Event) *bool { return &e.Escaped }},
		sequences:  tableWriter[Sequence]{table: Sequences, times: sequenceTimes, texts: newRowTexts[Sequence](), escaped: func(s *Sequence) *bool { return &s.Escaped }},
		processes:  tableWriter[Process]{table: Processes, times: processTimes, texts: newRowTexts[Process](), escaped: func(p *Process) *bool { return &p.Escaped }},
		containers: tableWriter[Container]{table: Containers, times: containerTimes, texts: newRowTexts[Container](), escaped: func(c *Container) *bool { return &c.Escaped }},
		losses:     tableWriter[Loss]{table: Losses, times: lossTimes, texts: newRowTexts[Loss]()},
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
