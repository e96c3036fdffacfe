package replay

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mayfly/detector"
	"mayfly/trace"
)

// responses are the response plans of a run: a folder for each finding, named by
// its id, with what to do as files that somebody may apply. They are made in a
// hidden folder beside, and put in their place before the finding is written: a
// finding that is told has its plan, and a run that is cut off makes the same
// plans again.
type responses struct {
	dir     string // "": no plans are asked for
	staging string
	d       *detector.Detector
	traces  []*trace.Trace
	ids     []string
}

// add makes the plan of a finding.
func (r *responses) add(ctx context.Context, f *detector.Finding) (err error) {
	if r.dir == "" {
		return nil
	}
	if r.staging == "" {
		if err := os.MkdirAll(r.dir, 0o755); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
		if err := removeStale(r.dir); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
		if r.staging, err = os.MkdirTemp(r.dir, ".making-"); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
	}
	id := f.Mayfly.ID
	if !isID(id) {
		return fmt.Errorf("plan: finding %.40q: no id to name a folder by", id)
	}
	folder := filepath.Join(r.staging, id)
	if err := r.write(ctx, folder, f); err != nil {
		return fmt.Errorf("plan of finding %s: %w", id, err)
	}
	r.ids = append(r.ids, id)
	return nil
}

// removeStale removes what runs that were killed a day ago or longer left.
func removeStale(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, ".making-*"))
	if err != nil {
		return nil // a name that is a bad pattern: nothing is cleaned up
	}
	for _, path := range left {
		info, err := os.Lstat(path)
		if err != nil || time.Since(info.ModTime()) < 24*time.Hour {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

func isID(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// write makes all files of a plan, and the sums of them.
func (r *responses) write(ctx context.Context, folder string, f *detector.Finding) error {
	container, err := r.container(ctx, f)
	if err != nil {
		return err
	}
	cut, err := r.evidence(ctx, filepath.Join(folder, "evidence"), f, container)
	if err != nil {
		return err
	}
	story, err := Explain(ctx, f, r.d, r.host(f.Hostname))
	if err != nil {
		return err
	}
	files, err := responseFiles(f, story, container, cut)
	if err != nil {
		return err
	}
	for _, file := range files {
		path := filepath.Join(folder, filepath.FromSlash(file.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, file.content, 0o644); err != nil {
			return err
		}
	}
	return writeSums(folder)
}

// host are the traces' files of one host.
func (r *responses) host(name string) []*trace.Trace {
	traces := slices.Clone(r.traces)
	for i, t := range traces {
		for _, table := range trace.Tables() {
			for _, f := range t.Files(table) {
				if f.Meta.Host != name {
					traces[i] = traces[i].Without(f.Path)
				}
			}
		}
	}
	return traces
}

// container is what the traces know of the finding's container.
func (r *responses) container(ctx context.Context, f *detector.Finding) (trace.Container, error) {
	out := trace.Container{ContainerID: f.Mayfly.ContainerID}
	for _, t := range r.traces {
		all, err := t.Containers(ctx)
		if err != nil {
			return out, err
		}
		if c, ok := all[f.Mayfly.ContainerID]; ok {
			trace.Overlay(&out, &c)
		}
	}
	return out, nil
}

// sumsName lists the files of a plan with their SHA-256, as sha256sum -c reads it.
const sumsName = "SHA256SUMS"

func writeSums(folder string) error {
	var sums bytes.Buffer
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		fmt.Fprintf(&sums, "%s  %s\n", hex.EncodeToString(sum[:]), filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, sumsName), sums.Bytes(), 0o644)
}

// commit puts the plans in their place. One that is there already and says the
// same stays as it is; one that says something else is replaced.
func (r *responses) commit() (err error) {
	defer func() { err = cmp.Or(err, r.discard()) }()
	for _, id := range r.ids {
		from, to := filepath.Join(r.staging, id), filepath.Join(r.dir, id)
		old, err := os.ReadFile(filepath.Join(to, sumsName))
		if err == nil {
			fresh, err := os.ReadFile(filepath.Join(from, sumsName))
			if err == nil && bytes.Equal(old, fresh) {
				continue
			}
		}
		if _, err := os.Lstat(to); err == nil {
			if err := os.Rename(to, filepath.Join(r.staging, id+".old")); err != nil {
				return fmt.Errorf("plan: %w", err)
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("plan: %w", err)
		}
		if err := syncTree(from); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
		if err := os.Rename(from, to); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
	}
	if len(r.ids) > 0 {
		return syncPath(r.dir)
	}
	return nil
}

// discard removes what was not put in its place.
func (r *responses) discard() error {
	if r.staging == "" {
		return nil
	}
	staging := r.staging
	r.staging, r.ids = "", nil
	if err := os.RemoveAll(staging); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return nil
}

// syncTree makes a folder and all in it last through a crash.
func syncTree(folder string) error {
	return filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	return cmp.Or(err, f.Close())
}
