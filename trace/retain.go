package trace

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"time"
)

// retain deletes the oldest sealed files above the quota of bytes, and those
// older than the quota of age, over all tables. Files of the current minute stay.
// A losses row of class LossRetention says how many rows of which time are gone;
// it is on disk before they go. What such rows in the files that go said it takes on.
func (r *Recording) retain() error {
	doomed := r.overQuota()
	if len(doomed) == 0 {
		return nil
	}
	gone := Loss{Class: LossRetention}
	for i, f := range doomed {
		if f.rows < 0 { // known by its name only
			f.rows, f.toNS = 0, f.fromNS
			if t, err := openTable(filepath.Join(r.disk.where(), f.name)); err == nil {
				f.rows, f.toNS = t.NumRows(), t.meta.ToNS
				t.close()
			}
		}
		if i == 0 {
			gone.FromNS = f.fromNS
		}
		gone.FromNS, gone.ToNS = min(gone.FromNS, f.fromNS), max(gone.ToNS, f.toNS)
		gone.Lost += f.rows
		if f.table == Losses {
			r.takeOn(&gone, f.name)
		}
	}
	r.tell = append(r.tell, gone)
	if err := r.sync(); err != nil {
		return err
	}
	return r.delete(doomed)
}

// takeOn adds what was deleted before, as the rows of a file of losses tell, to gone.
// They are told anew, and so are not rows that are gone. A file that cannot be read
// tells nothing.
func (r *Recording) takeOn(gone *Loss, name string) {
	t, err := Open(filepath.Join(r.disk.where(), name))
	if err != nil {
		return
	}
	for rec, err := range t.Scan(context.Background(), Losses, ScanOptions{}) {
		if err != nil {
			return
		}
		rows, err := Rows[Loss](rec)
		rec.Release()
		if err != nil {
			return
		}
		for _, l := range rows {
			if l.Class == LossRetention {
				gone.FromNS, gone.ToNS = min(gone.FromNS, l.FromNS), max(gone.ToNS, l.ToNS)
				gone.Lost += l.Lost - 1
			}
		}
	}
}

// overQuota returns the files to delete: the first of r.files.
func (r *Recording) overQuota() []sealedFile {
	now := r.now()
	minute := now.Truncate(time.Minute).UnixNano()
	total := int64(0)
	for _, f := range r.files {
		total += f.bytes
	}
	n := 0
	for ; n < len(r.files); n++ {
		f := r.files[n]
		old := r.opts.RetainAge > 0 && max(f.fromNS, f.toNS) < now.Add(-r.opts.RetainAge).UnixNano()
		if f.fromNS >= minute || !old && (r.opts.RetainBytes <= 0 || total <= r.opts.RetainBytes) {
			break
		}
		total -= f.bytes
	}
	return r.files[:n]
}

// delete removes the files and the folders that are empty then.
func (r *Recording) delete(doomed []sealedFile) (err error) {
	for _, f := range doomed {
		if removeErr := r.disk.remove(f.name); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}
	for _, f := range doomed {
		_ = r.disk.removeFolder(path.Dir(f.name)) // where it is empty
	}
	r.files = append([]sealedFile(nil), r.files[len(doomed):]...)
	return err
}
