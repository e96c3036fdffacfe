package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"mayfly/trace"
)

// Read decodes a table.
func (m *Map) Read(ctx context.Context, in *Input, out *Sink) error {
	d := &mapReader{m: m, in: in, out: out, hosts: map[string]bool{}, row: reflect.New(rowType(m.table)).Elem()}
	var err error
	switch m.format {
	case "csv":
		err = d.csv(ctx)
	case "jsonl":
		err = d.jsonLines(ctx)
	default:
		err = d.parquet(ctx)
	}
	if d.failed != nil {
		return d.failed
	}
	return err
}

// mapReader is the state of one file.
type mapReader struct {
	m      *Map
	in     *Input
	out    *Sink
	hosts  map[string]bool // that were given their machine
	row    reflect.Value
	at     []int // csv: of columns, and of the host last; -1: constant
	failed error
}

// all are the columns, and the host last where it comes from the table.
func (m *Map) all() []mapColumn {
	if m.host == nil {
		return m.columns
	}
	return append(m.columns[:len(m.columns):len(m.columns)], *m.host)
}

func (d *mapReader) csv(ctx context.Context) error {
	all := d.m.all()
	return readCSV(ctx, d.in, d.out, d.m.separator, func(header []string) error {
		for _, c := range all {
			at := -1
			for i, name := range header {
				if c.from != "" && strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")) == c.from {
					at = i
				}
			}
			if at < 0 && c.from != "" {
				return fmt.Errorf("no column %q, which the map takes for %s", c.from, c.name)
			}
			d.at = append(d.at, at)
		}
		return nil
	}, func(fields []string) error {
		return d.record(func(i int, _ *mapColumn) (any, bool) {
			text := fields[d.at[i]]
			return text, text != ""
		})
	})
}

// jsonLines reads a JSON object a line. A growing file is continued at its last
// whole line.
func (d *mapReader) jsonLines(ctx context.Context) error {
	text := newLines(d.in)
	for n := int64(0); ; n++ {
		line, at, err := text.next()
		if errors.Is(err, io.EOF) {
			d.out.Mark(text.at.Offset)
			return ctx.Err()
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil && !errors.Is(err, errLong):
			return err
		case n >= d.in.Limits.Records:
			return fmt.Errorf("more than %d lines", d.in.Limits.Records)
		case err == nil && len(bytes.TrimSpace(line)) == 0:
			continue
		case err == nil:
			err = d.object(line)
		}
		if text.incomplete && err != nil { // it may have its end next time
			d.out.Mark(at.Offset)
			return d.failed
		}
		if err != nil && d.failed == nil {
			err = d.out.Reject(at, line, err)
		}
		if err != nil {
			return err
		}
	}
}

func (d *mapReader) object(line []byte) error {
	if err := shallow(line, d.in.Limits.Nesting); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value in a line")
	}
	return d.record(func(_ int, c *mapColumn) (any, bool) { return follow(object, c.path) })
}

// shallow fails where objects and arrays stand too deep inside each other.
func shallow(line []byte, limit int) error {
	depth := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '"':
			if i = endOfString(line, i); i < 0 {
				return errors.New("a text without an end")
			}
		case '{', '[':
			if depth++; depth > limit {
				return fmt.Errorf("more than %d objects and arrays inside each other", limit)
			}
		case '}', ']':
			depth--
		}
	}
	return nil
}

// follow walks a path of names through objects. A name that has points itself is
// found, too: the longest one wins.
func follow(object map[string]any, path []string) (any, bool) {
	for n := len(path); n > 0; n-- {
		v, ok := object[strings.Join(path[:n], ".")]
		if !ok {
			continue
		}
		if n == len(path) {
			return v, v != nil
		}
		if inner, ok := v.(map[string]any); ok {
			if v, ok := follow(inner, path[n:]); ok {
				return v, true
			}
		}
	}
	return nil, false
}

// record makes the row of a record, of which value returns what a column is made
// from; false: it has none.
func (d *mapReader) record(value func(int, *mapColumn) (any, bool)) error {
	d.row.SetZero()
	host := d.in.Host
	for i, c := range d.m.all() {
		var v any = c.value
		if c.from != "" {
			var ok bool
			if v, ok = value(i, &c); !ok {
				if c.name == "kind" || c.name == "time_ns" {
					return fmt.Errorf("%s: no %s", c.from, c.name)
				}
				continue
			}
		}
		if c.field < 0 {
			text, err := textOf(v, &c)
			if err != nil {
				return fmt.Errorf("%s: host: %w", c.from, err)
			}
			host = text
			continue
		}
		what, err := setValue(d.row.Field(c.field), v, &c, d.m.arch, d.in.Limits)
		if errors.Is(err, errNoRow) {
			d.out.Unmapped(what)
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", c.from, c.name, err)
		}
	}
	return d.emit(host)
}

func (d *mapReader) emit(host string) error {
	if !d.hosts[host] {
		if d.failed = d.out.Machine(host, Machine{Arch: d.m.arch}); d.failed != nil {
			return d.failed
		}
		d.hosts[strings.Clone(host)] = true
	}
	switch row := d.row.Addr().Interface().(type) {
	case *trace.Event:
		d.failed = d.out.Event(host, row)
	case *trace.Sequence:
		d.failed = d.out.Sequence(host, row)
	case *trace.Process:
		d.failed = d.out.Process(host, row)
	case *trace.Container:
		if row.ContainerID == "" {
			return errors.New("container_id: empty")
		}
		d.failed = d.out.Container(host, row)
	}
	return d.failed
}
