package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// pageBytes is how much of a column waits in memory before it becomes a page. All
// columns of all tables together took 25 MB at parquet-go's 256 KiB; files are 3 %
// larger for it (BenchmarkWriteEvents).
const pageBytes = 64 << 10

// tableWriter writes one table's open file.
type tableWriter[T any] struct {
	table    Table
	times    func(*T) (from, to int64)
	texts    rowTexts[T]
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
		// Differences of numbers that say little are next to nothing, and spare zstd its work.
		t.parquet = parquet.NewGenericWriter[T](file, append(layout(w.opts.GroupRows, w.codec), parquet.PageBufferSize(pageBytes),
			parquet.DefaultEncodingFor(parquet.Int64, &parquet.DeltaBinaryPacked))...)
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

// cleaned returns rows, or a copy of them where a text is no UTF-8: in UTF-8, and with
// rows that say so where theirs were not.
func (t *tableWriter[T]) cleaned(rows []T) []T {
	if t.texts.clean(rows) {
		return rows
	}
	rows = slices.Clone(rows)
	for i := range rows {
		switch row := &rows[i]; {
		case t.texts.clean(rows[i : i+1]):
		case t.escaped == nil:
			t.texts.change(row, validText)
		default:
			flag := t.escaped(row)
			t.texts.change(row, func(s string) string { return escape(s, *flag) })
			*flag = true
		}
	}
	return rows
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
