package trace

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Salvaged says what became of the journals that a recorder left behind.
type Salvaged struct {
	Host        string
	Journals    int             // files of journals that were found
	Rows        map[Table]int64 // rows that are in sealed files now
	Quarantined []string        // files with what was no whole frame, below the trace directory; a .reason beside each
	FromNS      int64           // the last acknowledgement: what came after it may be missing; 0: unknown

	files []sealedFile
}

// salvager turns the journals of one host into sealed files.
type salvager struct {
	disk disk
	host string // as a path has it
	opts WriterOptions
	ends map[string]int64 // where to stop reading a journal file; others are read to their end

	recount bool // whoever wrote the journals is gone, and with it what it had counted and not told
}

// all salvages every generation of the host. An error names the journal that is
// still there.
func (s *salvager) all() (Salvaged, error) {
	sum := Salvaged{Rows: map[Table]int64{}}
	generations, err := s.generations()
	for _, n := range generations {
		one, oneErr := s.generation(n)
		if oneErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: journal %d: %w", journalFolderOf(s.host), n, oneErr))
			continue
		}
		sum.Journals += one.Journals
		for table, rows := range one.Rows {
			sum.Rows[table] += rows
		}
		sum.Quarantined = append(sum.Quarantined, one.Quarantined...)
		sum.files = append(sum.files, one.files...)
		sum.FromNS, sum.Host = max(sum.FromNS, one.FromNS), cmp.Or(sum.Host, one.Host)
	}
	return sum, err
}

// generations lists the generations that have a journal, the oldest first.
func (s *salvager) generations() ([]int64, error) {
	entries, err := s.disk.list(journalFolderOf(s.host))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []int64
	for _, e := range entries {
		if generation, _, ok := journalName(e.Name()); ok {
			all = append(all, generation)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), err
}

// journalName reads a journal file's name: journal-<generation>-<file>.
func journalName(name string) (generation int64, file int, ok bool) {
	rest, ok := strings.CutPrefix(name, "journal-")
	g, f, dash := strings.Cut(rest, "-")
	generation, err := strconv.ParseInt(g, 10, 64)
	file, fileErr := strconv.Atoi(f)
	return generation, file, ok && dash && err == nil && fileErr == nil && generation >= 0 && file >= 0
}

// generation salvages the journal of one generation: whole frames become sealed
// files, the rest goes to quarantine, and the journal is removed. A table whose
// file had been sealed before is left as it is, so that no row comes twice. It
// may be called again after an error.
func (s *salvager) generation(n int64) (report Salvaged, err error) {
	names, err := s.filesOf(n)
	if err != nil {
		return report, err
	}
	sealed, err := s.sealedTables(n)
	if err != nil {
		return report, err
	}
	report = Salvaged{Journals: len(names), Rows: map[Table]int64{}}
	out := &salvageWriter{s: s, number: n, sealed: sealed, rows: report.Rows}
	reader := &journalReader{}
	for _, name := range names {
		if err := s.read(name, reader, out, &report); err != nil {
			return report, errors.Join(err, out.abort())
		}
	}
	if s.recount {
		if err := out.tellCounts(reader); err != nil {
			return report, errors.Join(err, out.abort())
		}
	}
	if err := out.finish(&report); err != nil {
		return report, err
	}
	report.Host, report.FromNS = reader.head.Meta.Host, max(reader.ack, reader.head.BeganNS)
	for _, name := range names {
		if err := s.disk.remove(name); err != nil {
			return report, err
		}
	}
	return report, s.disk.syncFolder(journalFolderOf(s.host))
}

// read takes one journal file's rows to out, and its torn end to quarantine.
func (s *salvager) read(name string, reader *journalReader, out *salvageWriter, report *Salvaged) error {
	size, err := s.disk.size(name)
	if err != nil {
		return err
	}
	if end, ok := s.ends[name]; ok {
		size = min(size, end)
	}
	file, err := s.disk.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	sound, err := reader.readFile(file, size, out.target(reader))
	if err == nil {
		return nil
	}
	if !errors.Is(err, errTorn) {
		return err
	}
	kept, err := s.quarantine(name, file, sound, size, err)
	report.Quarantined = append(report.Quarantined, kept)
	return err
}

// quarantine keeps the bytes of a journal from sound on, and says why beside them.
func (s *salvager) quarantine(name string, file io.ReaderAt, sound, size int64, reason error) (string, error) {
	folder := "quarantine/host=" + s.host
	kept := path.Join(folder, path.Base(name)+".tail")
	text := fmt.Sprintf("%s: bytes %d to %d of %d: %v\nA recorder was killed, or its disk failed, before it acknowledged them.\n",
		name, sound, size, size, reason)
	for _, part := range []struct {
		name string
		from io.Reader
	}{
		{kept, io.NewSectionReader(file, sound, size-sound)}, {kept + ".reason", strings.NewReader(text)},
	} {
		f, err := newDraft(s.disk, part.name)
		if err != nil {
			return kept, err
		}
		if _, err = io.Copy(f, part.from); err == nil {
			err = f.commit(part.name)
		}
		if err != nil {
			return kept, errors.Join(err, f.abort())
		}
	}
	return kept, nil
}

// filesOf lists the journal files of a generation, in order.
func (s *salvager) filesOf(n int64) ([]string, error) {
	folder := journalFolderOf(s.host)
	entries, err := s.disk.list(folder)
	var numbers []int
	for _, e := range entries {
		if generation, file, ok := journalName(e.Name()); ok && generation == n {
			numbers = append(numbers, file)
		}
	}
	slices.Sort(numbers)
	var names []string
	for _, file := range numbers {
		names = append(names, path.Join(folder, fmt.Sprintf("journal-%d-%d", n, file)))
	}
	return names, err
}

// sealedTables says which tables have a sealed file of the generation.
func (s *salvager) sealedTables(n int64) (map[Table]bool, error) {
	files, err := listSealed(s.disk, s.host)
	sealed := map[Table]bool{}
	for _, f := range files {
		if _, number, ok := sealedName(f.table, path.Base(f.name)); ok && number == n {
			sealed[f.table] = true
			err = errors.Join(err, s.disk.syncFolder(path.Dir(f.name))) // its seal may have failed there
		}
	}
	return sealed, err
}

// salvageWriter writes rows of a journal as files of its generation.
type salvageWriter struct {
	s      *salvager
	number int64
	sealed map[Table]bool
	rows   map[Table]int64
	writer *Writer // nil before the first row
	counts salvageCounts
}

// target returns where the reader's rows go.
func (w *salvageWriter) target(r *journalReader) journalRows {
	return journalRows{
		events: func(rows []Event) error {
			w.counts.events(rows)
			return salvageRows(w, r, Events, rows, (*Writer).Events)
		},
		sequences: func(rows []Sequence) error {
			w.counts.sequences(rows)
			return salvageRows(w, r, Sequences, rows, (*Writer).Sequences)
		},
		processes:  func(rows []Process) error { return salvageRows(w, r, Processes, rows, (*Writer).Processes) },
		containers: func(rows []Container) error { return salvageRows(w, r, Containers, rows, (*Writer).Containers) },
		losses: func(rows []Loss) error {
			w.counts.losses(rows)
			return salvageRows(w, r, Losses, rows, (*Writer).Losses)
		},
	}
}

func salvageRows[T any](w *salvageWriter, r *journalReader, table Table, rows []T, write func(*Writer, []T) error) error {
	if w.sealed[table] {
		return nil
	}
	if w.writer == nil {
		w.writer = newWriter(w.s.disk, r.head.Meta, w.s.opts)
		w.writer.number = w.number
	}
	w.rows[table] += int64(len(rows))
	return write(w.writer, rows)
}

func (w *salvageWriter) finish(report *Salvaged) error {
	if w.writer == nil {
		return nil
	}
	err := w.writer.Seal(false)
	report.files = append(report.files, w.writer.sealed...)
	return err
}

func (w *salvageWriter) abort() error {
	if w.writer == nil {
		return nil
	}
	return w.writer.Abort()
}
