package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"mayfly/object"
	"mayfly/trace"
)

// unit is all files of one host.
type unit struct {
	Host   string   `json:"host"`   // the name of its folder
	Traces []source `json:"traces"` // all of the command line, in its order
}

// source is a trace, with what is known of one host's part of it.
type source struct {
	Place   string        `json:"place"`
	Objects []object.Info `json:"objects,omitempty"` // of the host, where Place is a URL
}

// units lists the hosts of traces, sorted. No file that lies as trace/FORMAT.md says
// is opened.
func units(ctx context.Context, places []string) ([]unit, error) {
	hosts := map[string]*unit{}
	at := func(host string, i int) *source {
		u := hosts[host]
		if u == nil {
			u = &unit{Host: host}
			for _, place := range places {
				u.Traces = append(u.Traces, source{Place: place})
			}
			hosts[host] = u
		}
		return &u.Traces[i]
	}
	for i, place := range places {
		dir, ok := localPath(place)
		if !ok {
			n := 0
			for info, err := range objects.List(ctx, place) {
				if err != nil {
					return nil, err
				}
				host, ok, err := objectHost(info)
				if err != nil {
					return nil, err
				}
				if ok {
					s := at(host, i)
					s.Objects = append(s.Objects, info)
					n++
				}
			}
			if n == 0 {
				return nil, fmt.Errorf("%s: not a trace: no Parquet file below events, sequences, processes, containers or losses", place)
			}
			continue
		}
		names, err := trace.HostFolders(dir)
		if err != nil {
			return nil, err
		}
		for _, host := range names {
			at(host, i)
		}
		if len(names) == 0 {
			if _, err := trace.Open(dir); err != nil { // which says why there are none
				return nil, err
			}
		}
	}
	var all []unit
	for _, u := range hosts {
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b unit) int { return strings.Compare(a.Host, b.Host) })
	return all, nil
}

// objectHost is the host whose file an object of a trace is; false: of none.
func objectHost(info object.Info) (string, bool, error) {
	parts := strings.Split(info.Name, "/")
	hidden := slices.ContainsFunc(parts, func(part string) bool { return strings.HasPrefix(part, ".") })
	if hidden || path.Ext(info.Name) != ".parquet" || len(parts) > 1 && !slices.Contains(trace.Tables(), trace.Table(parts[0])) {
		return "", false, nil
	}
	if len(parts) > 2 {
		if host, ok := strings.CutPrefix(parts[1], "host="); ok {
			return host, true, nil
		}
	}
	return "", false, fmt.Errorf("%s: does not lie in a folder host=… of a trace: in an object store it must", info.URL)
}

// hostTraces are the traces of a unit, open.
type hostTraces struct {
	traces []*trace.Trace // those that have files of the host
	rows   []int64        // of events and sequences, for each trace of the unit
	bad    []error        // files that cannot be read
	copies [][2]string    // folders that traces were copied to, and where from
}

// name is what a file in a message is called: where it came from.
func (h *hostTraces) name(path string) string {
	for _, c := range h.copies {
		if rest, ok := strings.CutPrefix(path, c[0]); ok {
			return c[1] + filepath.ToSlash(rest)
		}
	}
	return path
}

// working holds a place for each unit that this process may work on at a time: as many
// as there are processors, for each takes the memory of a host. Engines give a worker more
// (Prism: eight), which then wait.
var working = make(chan struct{}, runtime.GOMAXPROCS(0))

// withTraces calls do with the traces of a unit, which hold its host's files only.
// Objects are copied to this machine first and removed when do returns. sound goes on
// where files cannot be opened.
func (u *unit) withTraces(ctx context.Context, sound bool, do func(hostTraces) error) error {
	select {
	case working <- struct{}{}:
		defer func() { <-working }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return withScratch(func(scratch string) error {
		all := hostTraces{rows: make([]int64, len(u.Traces))}
		renamed := func(err error) error {
			for _, c := range all.copies {
				err = named(err, c[0], c[1])
			}
			return err
		}
		for i, s := range u.Traces {
			dir, ok := localPath(s.Place)
			if !ok {
				dir = filepath.Join(scratch, fmt.Sprint(i))
				place, _, _ := strings.Cut(s.Place, "?")
				all.copies = append(all.copies, [2]string{dir, strings.TrimSuffix(place, "/")})
				if len(s.Objects) == 0 {
					continue
				}
				for _, info := range s.Objects {
					o, err := objects.Listed(ctx, info)
					if err != nil {
						return err
					}
					if !filepath.IsLocal(info.Name) {
						return fmt.Errorf("%s: has a key that is no path", info.URL)
					}
					if err := download(ctx, o, filepath.Join(dir, filepath.FromSlash(info.Name))); err != nil {
						return err
					}
				}
			}
			mine := func(host string) bool { return host == u.Host }
			t, bad, err := trace.OpenSoundHosts(dir, mine)
			if err == nil && !sound {
				err = errors.Join(bad...)
			}
			if err != nil {
				return renamed(err)
			}
			all.traces, all.bad = append(all.traces, t), append(all.bad, bad...)
			for _, f := range append(t.Files(trace.Events), t.Files(trace.Sequences)...) {
				all.rows[i] += f.Rows
			}
		}
		return renamed(do(all))
	})
}
