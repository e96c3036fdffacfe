package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

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

// textOf is a value as text, by the map's values where it has them.
func textOf(v any, c *mapColumn) (string, error) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case json.Number:
		s = v.String()
	case bool:
		s = strconv.FormatBool(v)
	default:
		return "", errors.New("is an object or a list, want a text")
	}
	if c.values != nil {
		other, ok := c.values[s]
		if !ok {
			return s, errNoRow
		}
		s = other
	}
	return s, nil
}

// setValue puts a value into a field of a row. With errNoRow it returns what the
// value is.
func setValue(field reflect.Value, v any, c *mapColumn, arch string, limits Limits) (string, error) {
	if field.Kind() == reflect.Slice {
		return "", setList(field, v, c, arch, limits)
	}
	s, err := textOf(v, c)
	switch {
	case errors.Is(err, errNoRow) && c.name != "kind":
		return "", fmt.Errorf("got %.80q, which values does not have", s)
	case err != nil:
		return s, err
	case int64(len(s)) > limits.StringBytes:
		return "", fmt.Errorf("text of %d bytes, want at most %d", len(s), limits.StringBytes)
	}
	if c.name == "kind" && trace.Kind(s).Class() == "" || c.name == "kind" && !knownKind(s) {
		return s, errNoRow
	}
	if field.Kind() == reflect.Pointer {
		p := reflect.New(field.Type().Elem())
		if err := setScalar(p.Elem(), s, c); err != nil {
			return "", err
		}
		field.Set(p)
		return "", nil
	}
	return "", setScalar(field, s, c)
}

func knownKind(s string) bool {
	for _, k := range trace.Kinds() {
		if string(k) == s {
			return true
		}
	}
	return false
}

func setScalar(field reflect.Value, s string, c *mapColumn) error {
	switch field.Kind() {
	case reflect.String:
		field.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("got %.80q, want true or false", s)
		}
		field.SetBool(b)
	case reflect.Uint64:
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			return fmt.Errorf("got %.80q, want a number of 64 bits", s)
		}
		field.SetUint(n)
	default:
		n, err := integer(s, c)
		if err != nil {
			return err
		}
		if field.OverflowInt(n) {
			return fmt.Errorf("got %.80q, want a number of %d bits", s, field.Type().Bits())
		}
		field.SetInt(n)
	}
	return nil
}

// integer reads a number, a time or names of flags.
func integer(s string, c *mapColumn) (int64, error) {
	if c.time != "" || strings.HasSuffix(c.name, "time_ns") {
		return timeOf(s, c)
	}
	if n, ok := number(s); ok {
		return n, nil
	}
	if c.name == "flags" || c.name == "mode" {
		if n, ok := flags(s); ok {
			return n, nil
		}
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == float64(int64(f)) && f > -1e15 && f < 1e15 { // 3.0
		return int64(f), nil
	}
	return 0, fmt.Errorf("got %.80q, want a whole number", s)
}

func timeOf(s string, c *mapColumn) (int64, error) {
	unit, isNumber := timeFormats[c.time]
	if c.time == "" {
		unit, isNumber = 1, true
	}
	if !isNumber {
		layout := c.time
		if layout == "rfc3339" {
			layout = time.RFC3339Nano
		}
		t, err := time.ParseInLocation(layout, s, c.zone)
		if err != nil || t.Year() < 1970 || t.Year() > 2200 {
			return 0, fmt.Errorf("got %.80q, want a time as %q", s, layout)
		}
		return t.UnixNano(), nil
	}
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || float64(n)*unit > maxScapTime || strings.Trim(fraction, "0123456789") != "" {
		if f, ferr := strconv.ParseFloat(s, 64); ferr == nil && f >= 0 && f*unit < maxScapTime { // 1.7e9
			return int64(f * unit), nil
		}
		return 0, fmt.Errorf("got %.80q, want a time since 1970 (%s)", s, c.time)
	}
	return n*int64(unit) + nanoseconds([]byte(fraction))/(1e9/int64(unit)), nil
}

// setList fills argv, labels and the like from a list or from one text.
func setList(field reflect.Value, v any, c *mapColumn, arch string, limits Limits) error {
	var words []string
	switch v := v.(type) {
	case []any:
		for _, w := range v {
			s, err := textOf(w, &mapColumn{})
			if err != nil {
				return fmt.Errorf("in the list: %w", err)
			}
			words = append(words, s)
		}
	case string:
		switch {
		case c.split != "":
			words = strings.Split(v, c.split)
		case v != "":
			words = []string{v}
		}
	default:
		return errors.New("want a list or a text")
	}
	if int64(len(words)) > limits.ListLength {
		return fmt.Errorf("list of %d, want at most %d", len(words), limits.ListLength)
	}
	if field.Type().Elem().Kind() == reflect.String {
		for _, w := range words {
			if int64(len(w)) > limits.StringBytes {
				return fmt.Errorf("text of %d bytes, want at most %d", len(w), limits.StringBytes)
			}
		}
		field.Set(reflect.ValueOf(words))
		return nil
	}
	calls := make([]uint16, 0, len(words))
	for _, w := range words {
		w = strings.TrimSpace(w)
		n, ok := trace.CallOn(arch, w)
		if !ok {
			u, err := strconv.ParseUint(w, 10, 16)
			if err != nil {
				return fmt.Errorf("got %.80q, want the name or the number of a call on %s", w, arch)
			}
			n = uint16(u)
		}
		calls = append(calls, n)
	}
	field.Set(reflect.ValueOf(calls))
	return nil
}
