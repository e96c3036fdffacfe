package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// OpenRecording begins a recording of a host in dir, which it creates (mode
// 0700) where it is missing. What a recorder of the host that was killed left
// there is turned into sealed files first; Salvaged says so. An error matches
// ErrLocked where a recorder of the host is at work in the directory. meta goes
// into each file; its FromNS, ToNS and Final are the Recording's to set.
func OpenRecording(dir string, meta Meta, opts RecordingOptions) (*Recording, Salvaged, error) {
	if dir == "" {
		return nil, Salvaged{}, errors.New("trace directory: has no name")
	}
	d, err := openDisk(dir)
	if err != nil {
		return nil, Salvaged{}, err
	}
	r, salvaged, err := openRecording(d, dir, meta, opts)
	if err != nil {
		return nil, salvaged, errors.Join(err, d.close())
	}
	return r, salvaged, nil
}

func openRecording(d disk, dir string, meta Meta, opts RecordingOptions) (*Recording, Salvaged, error) {
	lock, last, err := takeLock(d, dir, meta.Host)
	if err != nil {
		return nil, Salvaged{}, err
	}
	r := &Recording{opts: opts, disk: d, lock: lock, writer: newWriter(d, meta, opts.Writer),
		broken: map[Table]bool{}, unacked: map[rowKey]*rowLoss{}, lost: map[string]int64{}, now: time.Now}
	r.writer.reopened = r.relock
	salvaged, err := r.takeOver(last)
	if err != nil {
		return nil, salvaged, errors.Join(err, lock.release())
	}
	r.begin()
	return r, salvaged, nil
}

// takeOver brings in order what the last recorder left.
func (r *Recording) takeOver(last lockState) (Salvaged, error) {
	host := pathText(r.writer.meta.Host)
	drafts, err := removeDrafts(r.disk, host)
	if err != nil {
		return Salvaged{}, err
	}
	s := salvager{disk: r.disk, host: host, opts: r.opts.Writer, recount: true}
	salvaged, err := s.all()
	if err != nil {
		return salvaged, err
	}
	if r.files, err = listSealed(r.disk, host); err != nil {
		return salvaged, err
	}
	for _, f := range r.files {
		if _, number, ok := sealedName(f.table, path.Base(f.name)); ok {
			r.writer.number = max(r.writer.number, number+1)
		}
	}
	r.state = ownState()
	if last.unclean() || salvaged.Journals > 0 || drafts > 0 {
		if salvaged.FromNS == 0 {
			salvaged.FromNS = max(last.RunningNS, r.lastSealed())
		}
		if last.GapNS != 0 {
			salvaged.FromNS = min(last.GapNS, salvaged.FromNS)
		}
		r.state.GapNS = max(1, salvaged.FromNS)
	}
	return salvaged, r.lock.write(r.state.text())
}

// lastSealed returns the latest time of the rows in sealed files, or 0.
func (r *Recording) lastSealed() (ns int64) {
	seen := map[Table]int{}
	for _, f := range slices.Backward(r.files) {
		if seen[f.table]++; seen[f.table] > 2 { // the latest files of a table; they overlap little
			continue
		}
		ns = max(ns, f.fromNS)
		if t, err := openTable(filepath.Join(r.disk.where(), f.name)); err == nil {
			ns = max(ns, t.meta.ToNS)
			t.close()
		}
	}
	return ns
}

// Begin says that rows are recorded from now on. Where the recorder before did
// not stop in good order, a losses row of class LossGap says from when to when
// rows may be missing.
func (r *Recording) Begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now().UnixNano()
	if r.state.GapNS != 0 {
		r.tell = append(r.tell, Loss{FromNS: min(r.state.GapNS, now), ToNS: now, Class: LossGap})
		if err := r.sync(); err != nil {
			return err // the lock's text keeps the gap for the next
		}
	}
	r.state.GapNS, r.state.RunningNS = 0, now
	return r.lock.write(r.state.text())
}

// Salvage does for the directory of a host that is gone what its next recorder
// would have done: journals of killed recorders become sealed files, with a
// losses row of class LossGap for the second after the last acknowledgement. It
// returns one Salvaged for each host that had a journal. An error matches
// ErrLocked where a recorder is at work; hosts before it are done.
func Salvage(dir string) ([]Salvaged, error) {
	if _, err := filepath.EvalSymlinks(dir); err != nil { // openDisk would make it
		return nil, err
	}
	d, err := openDisk(dir)
	if err != nil {
		return nil, err
	}
	all, err := salvageAll(d, dir)
	return all, errors.Join(err, d.close())
}

func salvageAll(d disk, dir string) (all []Salvaged, err error) {
	hosts, err := d.list("journal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range hosts {
		host, ok := strings.CutPrefix(entry.Name(), "host=")
		if !ok || !entry.IsDir() {
			continue
		}
		one, err := salvageHost(d, dir, host)
		if err != nil {
			return all, err
		}
		if one.Journals > 0 {
			all = append(all, one)
		}
	}
	return all, nil
}

func salvageHost(d disk, dir, host string) (Salvaged, error) {
	lock, _, err := takeLock(d, dir, host) // a host's text names itself
	if err != nil {
		return Salvaged{}, err
	}
	defer func() { _ = lock.release() }()
	s := salvager{disk: d, host: host, recount: true}
	if _, err := removeDrafts(d, host); err != nil {
		return Salvaged{}, err
	}
	generations, err := s.generations()
	if err != nil || len(generations) == 0 {
		return Salvaged{}, err
	}
	meta, err := s.meta(generations[len(generations)-1])
	if err != nil {
		return Salvaged{}, err
	}
	report, err := s.all()
	if err != nil {
		return report, err
	}
	w := newWriter(d, meta, WriterOptions{})
	w.number = generations[len(generations)-1] + 1
	gap := Loss{FromNS: report.FromNS, ToNS: report.FromNS + int64(time.Second), Class: LossGap}
	if err := errors.Join(w.Losses([]Loss{gap}), w.Seal(false)); err != nil {
		return report, fmt.Errorf("gap: %w", err)
	}
	return report, lock.write(lockState{StoppedNS: report.FromNS}.text())
}

// meta returns what a generation's journal says of its files.
func (s *salvager) meta(n int64) (Meta, error) {
	names, err := s.filesOf(n)
	if err != nil {
		return Meta{}, err
	}
	for _, name := range names {
		file, err := s.disk.open(name)
		if err != nil {
			return Meta{}, err
		}
		size, err := s.disk.size(name)
		r := &journalReader{}
		if _, kind, payload, frameErr := readFrame(file, 0, size); err == nil && frameErr == nil && kind == frameBegin {
			err = r.begin(payload)
		}
		_ = file.Close() // only read
		if err == nil && r.head.Version != 0 {
			return r.head.Meta, nil
		}
	}
	return Meta{Host: s.host, Source: recorderSource}, nil
}
