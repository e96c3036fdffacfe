package trace

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"time"
)

// retain deletes the oldest sealed files above the quota of bytes, and those
// older than the quota of age, over all tables. Files of the current minute stay.
// A losses row of class LossRetention says how many rows of which time are gone;
// it is on disk before they go.
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
	}
	r.tell = append(r.tell, gone)
	if err := r.sync(); err != nil {
		return err
	}
	return r.delete(doomed)
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
