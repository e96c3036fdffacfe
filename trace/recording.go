package trace

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// RecordingOptions say how a Recording keeps its files. The zero value of a
// field means its default.
type RecordingOptions struct {
	Writer      WriterOptions
	RetainBytes int64         // of the host's sealed files, the oldest are deleted above it; 0: no limit
	RetainAge   time.Duration // sealed files whose rows all are older are deleted; 0: no limit
}

// Recording is a Writer whose rows survive: what Sync acknowledged is on disk,
// through kill -9 and power cuts, as rows of a journal first and as sealed files
// after Seal. It is the only writer of its host in the directory, by a lock.
// When the disk fails it goes on: what is acknowledged stays, and what could not
// be written is counted in the losses table, by container and class. It is safe
// for concurrent use.
type Recording struct {
	mu      sync.Mutex
	opts    RecordingOptions
	disk    disk
	lock    diskLock
	state   lockState
	writer  *Writer
	journal *journal
	broken  map[Table]bool      // tables of this generation whose file failed; true: and is gone
	stuck   []*journal          // of generations whose files could not be sealed, closed
	unacked map[rowKey]*rowLoss // rows that no sync has seen
	losses  []Loss              // unacknowledged rows of the losses table
	tell    []Loss              // rows to be written to the losses table
	files   []sealedFile        // sealed files of the host, the oldest first
	lost    map[string]int64    // rows that could not be written, by class
	now     func() time.Time
}

// rowKey is a container's rows of one table and class of loss.
type rowKey struct {
	table  Table
	class  string
	cgroup uint64
}

// rowLoss counts rows that are lost should their table's file fail.
type rowLoss struct {
	container string
	rows      int64
	from, to  int64
}

// maxJournalMemory is how many bytes of frames may wait for a disk that fails.
const maxJournalMemory = 8 << 20

// Events appends rows to the events table. Like its sisters it keeps nothing of
// the slice. An error tells of the disk: the rows are in memory still, or
// counted as lost; the Recording goes on.
func (r *Recording) Events(rows []Event) error {
	return add(r, &r.writer.events, eventCodec, rows, func(e *Event) (string, uint64, string) {
		return cmp.Or(Kind(e.Kind).Class(), e.Kind), e.CgroupID, e.ContainerID
	})
}

// Sequences appends rows to the sequences table.
func (r *Recording) Sequences(rows []Sequence) error {
	return add(r, &r.writer.sequences, sequenceCodec, rows, func(s *Sequence) (string, uint64, string) {
		return LossSequences, s.CgroupID, s.ContainerID
	})
}

// Processes appends rows to the processes table.
func (r *Recording) Processes(rows []Process) error {
	return add(r, &r.writer.processes, processCodec, rows, func(p *Process) (string, uint64, string) {
		return LossProcesses, p.CgroupID, p.ContainerID
	})
}

// Containers appends rows to the containers table.
func (r *Recording) Containers(rows []Container) error {
	return add(r, &r.writer.containers, containerCodec, rows, func(c *Container) (string, uint64, string) {
		return LossContainers, c.CgroupID, c.ContainerID
	})
}

// Losses appends rows to the losses table. They are kept in memory until they
// are on disk.
func (r *Recording) Losses(rows []Loss) error {
	r.mu.Lock()
	r.tell = append(r.tell, rows...)
	err := r.tellLosses()
	r.mu.Unlock()
	return err
}

// add takes rows to the journal's memory and to the table's open file.
func add[T any](r *Recording, t *tableWriter[T], codec *rowCodec[T], rows []T, of func(*T) (class string, cgroup uint64, container string)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return addLocked(r, t, codec, rows, of)
}

func addLocked[T any](r *Recording, t *tableWriter[T], codec *rowCodec[T], rows []T, of func(*T) (class string, cgroup uint64, container string)) error {
	if len(rows) == 0 {
		return nil
	}
	addRows(r.journal, t.table, codec, rows)
	var at *rowLoss
	last := rowKey{}
	for i := range rows {
		class, cgroup, container := of(&rows[i])
		from, to := t.times(&rows[i])
		if key := (rowKey{t.table, class, cgroup}); at == nil || key != last {
			last = key
			if at = r.unacked[key]; at == nil {
				at = &rowLoss{container: container, from: from, to: to}
				r.unacked[key] = at
			}
		}
		at.rows++
		at.from, at.to = min(at.from, from), max(at.to, to)
	}
	if _, broken := r.broken[t.table]; broken {
		return nil // the journal has the rows; the next sync mends
	}
	err := write(r.writer, t, rows)
	if err != nil {
		r.broken[t.table] = true
	}
	return err
}

// tellLosses writes the rows that tell holds.
func (r *Recording) tellLosses() error {
	if len(r.tell) == 0 {
		return nil
	}
	rows := r.tell
	r.losses, r.tell = append(r.losses, rows...), nil
	return addLocked(r, &r.writer.losses, lossCodec, rows, func(l *Loss) (string, uint64, string) { return l.Class, l.CgroupID, l.ContainerID })
}

// Sync acknowledges: where it returns nil, all rows so far are on disk. It also
// mends what failed before, and rows stay in memory where it fails.
func (r *Recording) Sync() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sync()
}

func (r *Recording) sync() error {
	if r.disk.displaced() {
		return r.comeBack()
	}
	err := r.tellLosses()
	if len(r.broken) > 0 || len(r.journal.buffer) > maxJournalMemory {
		return errors.Join(err, r.seal(false))
	}
	if syncErr := r.journal.sync(r.now().UnixNano()); syncErr != nil {
		return errors.Join(err, syncErr)
	}
	r.acknowledged()
	return errors.Join(err, r.unstick())
}

func (r *Recording) acknowledged() {
	clear(r.unacked)
	r.losses = r.losses[:0]
}

// comeBack makes a trace directory that was removed or moved anew. What was
// sealed is gone with it; the open files hold all rows since.
func (r *Recording) comeBack() error {
	if err := r.writer.reopen(); err != nil {
		return err
	}
	for _, t := range r.writer.tables() {
		if err := t.move(); err != nil {
			r.broken[t.name()] = true
			_ = t.abort() // what is gone is gone
		}
	}
	r.journal.files, r.journal.ends, r.stuck, r.files = nil, nil, nil, nil
	err := r.journal.close()
	if sealErr := r.seal(false); sealErr != nil {
		return errors.Join(err, sealErr)
	}
	return err
}

// relock takes the lock in a directory that was made anew.
func (r *Recording) relock() error {
	lock, _, err := r.disk.lock(lockName(r.writer.meta.Host))
	if err != nil {
		return fmt.Errorf("%s: %w", lockName(r.writer.meta.Host), err)
	}
	_ = r.lock.release() // of a file that is gone
	r.lock = lock
	return lock.write(r.state.text())
}

// Seal completes the open files and gives them their names: the journal is not
// needed any more. final marks them as the last of a recording that ended in
// good order. It does what Sync does, too, and deletes what is above the quota.
func (r *Recording) Seal(final bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.disk.displaced() {
		if err := r.comeBack(); err != nil {
			return err
		}
	}
	err := r.tellLosses()
	err = errors.Join(err, r.seal(final))
	if len(r.stuck) == 0 {
		err = errors.Join(err, r.retain())
	}
	return err
}

// seal ends the generation. A table whose file cannot be sealed stays on disk in
// the journal, as far as it was acknowledged; the rest is counted as lost.
func (r *Recording) seal(final bool) error {
	syncErr := r.journal.sync(r.now().UnixNano())
	if syncErr == nil {
		r.acknowledged()
	}
	w, j := r.writer, r.journal
	w.mu.Lock()
	err := w.seal(final)
	for _, t := range w.tables() {
		if failed, stays := t.failed(); failed {
			r.broken[t.name()] = !stays
		}
	}
	r.files = append(r.files, w.sealed...)
	w.mu.Unlock()
	if len(r.broken) == 0 {
		err = errors.Join(err, j.remove())
	} else {
		err = errors.Join(err, syncErr, j.close())
		r.countLost()
		if len(j.files) > 0 {
			r.stuck = append(r.stuck, j)
		}
	}
	r.acknowledged()
	clear(r.broken)
	r.begin()
	if err == nil {
		err = r.unstick()
	}
	return err
}

// countLost tells of the rows of broken tables that no sync has seen.
func (r *Recording) countLost() {
	if r.broken[Losses] {
		r.tell = append(r.tell, r.losses...)
	}
	keys := make([]rowKey, 0, len(r.unacked))
	for key := range r.unacked {
		if r.broken[key.table] && key.table != Losses {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b rowKey) int { return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.cgroup, b.cgroup)) })
	for _, key := range keys {
		lost := r.unacked[key]
		r.tell = append(r.tell, Loss{FromNS: lost.from, ToNS: lost.to, ContainerID: lost.container, CgroupID: key.cgroup,
			Class: key.class, Lost: lost.rows})
		r.lost[key.class] += lost.rows
	}
}

// begin begins the next generation, in memory.
func (r *Recording) begin() {
	r.journal = newJournal(r.disk, journalHead{Version: journalVersion, Generation: r.writer.number,
		BeganNS: r.now().UnixNano(), Meta: r.writer.meta, Columns: codecColumns()})
}

// unstick turns journals of generations that could not be sealed into sealed
// files, now that the disk answers again.
func (r *Recording) unstick() error {
	for len(r.stuck) > 0 {
		s := salvager{disk: r.disk, host: pathText(r.writer.meta.Host), opts: r.opts.Writer, ends: map[string]int64{}}
		for i, name := range r.stuck[0].files {
			s.ends[name] = r.stuck[0].ends[i] // what is behind was counted as lost
		}
		n := r.stuck[0].head.Generation
		report, err := s.generation(n)
		if err != nil {
			return fmt.Errorf("journal %d: %w", n, err)
		}
		r.files = append(r.files, report.files...)
		slices.SortFunc(r.files, compareSealed)
		r.stuck = r.stuck[1:]
	}
	return nil
}

// Lost returns how many rows could not be written, by class of loss.
func (r *Recording) Lost() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.lost)
}

// AcknowledgedNS returns the time, in ns since 1970, up to which rows are on
// disk: when the last Sync or Seal succeeded.
func (r *Recording) AcknowledgedNS() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.journal.ackNS
}

// Close seals the files as the last ones, and lets go of the directory. The
// error is nil where all rows are on disk as sealed files.
func (r *Recording) Close() error {
	err := r.Seal(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.tell) > 0 || len(r.stuck) > 0 { // a seal of its own tells of what the last one lost
		err = errors.Join(err, r.tellLosses(), r.seal(true), r.unstick())
	}
	if len(r.tell) == 0 && len(r.stuck) == 0 {
		r.state = lockState{StoppedNS: r.now().UnixNano()}
		err = errors.Join(err, r.lock.write(r.state.text()))
	}
	return errors.Join(err, r.journal.close(), r.lock.release(), r.disk.close())
}
