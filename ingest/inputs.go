package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mayfly/feature"
	"mayfly/trace"
)

// inputs are the traces that can be used.
type inputs struct {
	traces []*trace.Trace
	files  []trace.File // events and sequences of all of them
	inputs []feature.InputFile
	bad    []BadTrace
	hashes map[string]string // of files with rows → path
	check  *checker
}

func open(ctx context.Context, paths []string, skipBad bool, check *checker) (*inputs, error) {
	in := &inputs{hashes: map[string]string{}, check: check}
	for _, path := range paths {
		err := in.add(ctx, path, skipBad)
		if err == nil {
			continue
		}
		if !skipBad || ctx.Err() != nil {
			return nil, err
		}
		in.bad = append(in.bad, BadTrace{path, err})
	}
	return in, nil
}

// add opens one trace. With check every row is read once beforehand, so that a
// file that is damaged in its middle is found before windows are made of it.
func (in *inputs) add(ctx context.Context, path string, check bool) error {
	if err := in.checkFiles(ctx, path, func(string) bool { return true }); err != nil {
		return err
	}
	check = check && in.check.begin == nil // else that was done
	t, err := trace.Open(path)
	if err != nil {
		return err
	}
	if rowsOf(t) == 0 {
		return fmt.Errorf("%s: empty trace: no events and no sequences", path)
	}
	if check {
		if err := readThrough(ctx, t); err != nil {
			return err
		}
	}
	return in.take(t)
}

// rowsOf counts the rows that windows are made of.
func rowsOf(t *trace.Trace) (rows int64) {
	for _, f := range append(t.Files(trace.Events), t.Files(trace.Sequences)...) {
		rows += f.Rows
	}
	return rows
}

// take adds a trace that is open.
func (in *inputs) take(t *trace.Trace) error {
	files := append(t.Files(trace.Events), t.Files(trace.Sequences)...)
	inputs, hashes, err := in.hash(files)
	if err != nil {
		return err
	}
	for hash, path := range hashes {
		in.hashes[hash] = path
	}
	in.traces = append(in.traces, t)
	in.files = append(in.files, files...)
	in.inputs = append(in.inputs, inputs...)
	return nil
}

// checkFiles has every file of a trace's directory read elsewhere, but for those in
// the folders of hosts that are not to be kept; a single file was, when its kind was
// asked for.
func (in *inputs) checkFiles(ctx context.Context, dir string, keep func(hostFolder string) bool) error {
	if !isFolder(dir) {
		return nil
	}
	for _, table := range trace.Tables() {
		err := filepath.WalkDir(filepath.Join(dir, string(table)), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if host, ok := strings.CutPrefix(filepath.Base(path), "host="); err == nil && ok && d.IsDir() && !keep(host) {
				return fs.SkipDir
			}
			if err != nil || d.IsDir() || filepath.Ext(path) != ".parquet" || strings.HasPrefix(d.Name(), ".") {
				return err
			}
			_, err = in.check.check(ctx, path)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// hash describes the files of a trace. A file that was given before would count
// everything twice, so it is refused.
func (in *inputs) hash(files []trace.File) (inputs []feature.InputFile, hashes map[string]string, err error) {
	hashes = map[string]string{}
	for i := range files {
		f := &files[i]
		sum, err := f.SHA256()
		if err != nil {
			return nil, nil, err
		}
		for _, seen := range []map[string]string{in.hashes, hashes} {
			if other, ok := seen[sum]; ok && f.Rows > 0 {
				return nil, nil, fmt.Errorf("%s: holds the same rows as %s, which is given too", f.Path, other)
			}
		}
		hashes[sum] = f.Path
		inputs = append(inputs, feature.InputFile{Rel: f.Rel, Table: string(f.Table), Host: f.Meta.Host,
			SHA256: sum, Rows: f.Rows, Bytes: f.Bytes})
	}
	return inputs, hashes, nil
}

func readThrough(ctx context.Context, t *trace.Trace) error {
	for _, table := range []trace.Table{trace.Events, trace.Sequences, trace.Containers, trace.Losses} {
		for rec, err := range t.Scan(ctx, table, trace.ScanOptions{}) {
			if err != nil {
				return err
			}
			rec.Release()
		}
	}
	return nil
}

// apart makes sure that the output does not replace an input.
func (in *inputs) apart(output string) error {
	out, err := os.Stat(output)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if out.IsDir() {
		return fmt.Errorf("%s: is a directory, want a file to write", output)
	}
	for _, f := range in.files {
		if info, err := os.Stat(f.Path); err == nil && os.SameFile(info, out) {
			return fmt.Errorf("%s: is an input and the output", output)
		}
	}
	return nil
}
