package ingest

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mayfly/trace"
)

// Map reads tables of any program by a file that says which column, or which
// path of a JSON object, is which column of a trace: CSV, JSON lines or Parquet.
// It is a Source, and read-only once it is loaded. SOURCES.md says what may stand
// in the file and has an example.
type Map struct {
	format    string // "csv", "jsonl", "parquet"
	separator rune
	table     trace.Table
	arch      string
	host      *mapColumn // nil: Input.Host
	columns   []mapColumn
}

// mapColumn says where one column comes from.
type mapColumn struct {
	name   string // of the trace
	field  int    // of the row's struct; -1: the host
	from   string // column, or path of names parted by points
	path   []string
	value  string // where it is constant: from is ""
	values map[string]string
	time   string // format of a time
	zone   *time.Location
	split  string // of a list in one text
}

// parquetMap is a Map whose inputs are Parquet, which is read from its end.
type parquetMap struct{ *Map }

// RandomAccess asks for the file.
func (parquetMap) RandomAccess() {}

// LoadMap reads a map. Errors begin with the file's name and the line.
func LoadMap(file string) (Source, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return ParseMap(file, content)
}

// ParseMap is LoadMap of what was read already; file stands for it in errors.
func ParseMap(file string, content []byte) (Source, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return nil, fmt.Errorf("%s: %s", file, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s:1: empty: want format and columns", file)
	}
	m := &Map{separator: ',', table: trace.Events, arch: "amd64"}
	p := mapParser{file: file, m: m}
	if err := p.top(doc.Content[0]); err != nil {
		return nil, err
	}
	if m.format == "parquet" {
		return parquetMap{m}, nil
	}
	return m, nil
}

// Format is "map".
func (*Map) Format() string { return "map" }

// Sniff takes everything: whoever names a map means all inputs.
func (*Map) Sniff(string, []byte) bool { return true }

// rowType is the struct of a table's rows.
func rowType(t trace.Table) reflect.Type {
	switch t {
	case trace.Sequences:
		return reflect.TypeFor[trace.Sequence]()
	case trace.Processes:
		return reflect.TypeFor[trace.Process]()
	case trace.Containers:
		return reflect.TypeFor[trace.Container]()
	}
	return reflect.TypeFor[trace.Event]()
}

// rowColumns lists the names of a table's columns, by the fields of its rows.
func rowColumns(t trace.Table) []string {
	row := rowType(t)
	names := make([]string, row.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(row.Field(i).Tag.Get("parquet"), ",")
	}
	return names
}

// mapParser reads a map from its YAML, so that errors name lines.
type mapParser struct {
	file string
	m    *Map
}

func (p *mapParser) errorf(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", p.file, n.Line, fmt.Errorf(format, args...))
}

// pairs calls f with each key and value of a mapping. No key may stand twice.
func (p *mapParser) pairs(n *yaml.Node, what string, f func(key string, at, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return p.errorf(n, "%s: want names and values", what)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || seen[key.Value] {
			return p.errorf(key, "%s: %q stands twice, or is no name", what, key.Value)
		}
		seen[key.Value] = true
		if err := f(key.Value, key, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (p *mapParser) text(n *yaml.Node, what string) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		return "", p.errorf(n, "%s: want a text", what)
	}
	return n.Value, nil
}

// oneOf reads a text that must be one of some.
func (p *mapParser) oneOf(n *yaml.Node, what string, words ...string) (string, error) {
	s, err := p.text(n, what)
	if err == nil && !slices.Contains(words, s) {
		err = p.errorf(n, "%s: got %q, want %s", what, s, strings.Join(words, ", "))
	}
	return s, err
}

func (p *mapParser) top(n *yaml.Node) error {
	var columns, host *yaml.Node
	err := p.pairs(n, "map", func(key string, at, value *yaml.Node) (err error) {
		switch key {
		case "format":
			p.m.format, err = p.oneOf(value, key, "csv", "jsonl", "parquet")
		case "separator":
			s, err := p.text(value, key)
			if err != nil {
				return err
			}
			runes := []rune(s)
			if len(runes) != 1 || strings.ContainsRune("\"\r\n\ufffd", runes[0]) {
				return p.errorf(value, "separator: got %q, want one character", s)
			}
			p.m.separator = runes[0]
		case "table":
			var s string
			s, err = p.oneOf(value, key, "events", "sequences", "processes", "containers")
			p.m.table = trace.Table(s)
		case "arch":
			if p.m.arch, err = p.text(value, key); err == nil {
				if _, unknown := trace.NewCallTable(p.m.arch); unknown != nil {
					err = p.errorf(value, "arch: %w", unknown)
				}
			}
		case "host":
			host = value
		case "columns":
			columns = value
		default:
			return p.errorf(at, "%q: not known, want format, separator, table, arch, host, columns", key)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case p.m.format == "":
		return p.errorf(n, "no format: want csv, jsonl or parquet")
	case columns == nil:
		return p.errorf(n, "no columns")
	}
	if host != nil {
		c, err := p.column("host", -1, host)
		if err != nil {
			return err
		}
		p.m.host = &c
	}
	return p.columns(columns)
}

func (p *mapParser) columns(n *yaml.Node) error {
	names := rowColumns(p.m.table)
	err := p.pairs(n, "columns", func(key string, at, value *yaml.Node) error {
		field := slices.Index(names, key)
		if field < 0 {
			return p.errorf(at, "column %q: table %s has none (%s)", key, p.m.table, strings.Join(names, ", "))
		}
		c, err := p.column(key, field, value)
		if err != nil {
			return err
		}
		kind := rowType(p.m.table).Field(field).Type
		if c.time != "" && kind.Kind() != reflect.Int64 && kind != reflect.TypeFor[*int64]() {
			return p.errorf(value, "column %q: is no time", key)
		}
		if c.split != "" && kind.Kind() != reflect.Slice {
			return p.errorf(value, "column %q: is no list", key)
		}
		if c.from == "" {
			if _, err := setValue(reflect.New(kind).Elem(), c.value, &c, p.m.arch, DefaultLimits()); err != nil {
				return p.errorf(value, "column %q: const: %w", key, err)
			}
		}
		p.m.columns = append(p.m.columns, c)
		return nil
	})
	if err != nil {
		return err
	}
	if p.m.table == trace.Events {
		for _, want := range []string{"kind", "time_ns"} {
			if !slices.ContainsFunc(p.m.columns, func(c mapColumn) bool { return c.name == want }) {
				return p.errorf(n, "columns: no %s", want)
			}
		}
	}
	return nil
}

// column reads what stands behind a column's name: the name of a column alone, or
// from or const with what belongs to it.
func (p *mapParser) column(name string, field int, n *yaml.Node) (c mapColumn, err error) {
	c = mapColumn{name: name, field: field, zone: time.UTC}
	if n.Kind == yaml.ScalarNode {
		c.from, err = p.text(n, name)
		c.path = strings.Split(c.from, ".")
		return c, err
	}
	constant := false
	err = p.pairs(n, name, func(key string, at, value *yaml.Node) (err error) {
		switch key {
		case "from":
			c.from, err = p.text(value, name+".from")
		case "const":
			constant = true
			if value.Kind != yaml.ScalarNode {
				return p.errorf(value, "%s.const: want one value", name)
			}
			c.value = value.Value
		case "split":
			c.split, err = p.text(value, name+".split")
		case "time":
			c.time, err = p.timeFormat(value, name)
		case "zone":
			var s string
			if s, err = p.text(value, name+".zone"); err == nil {
				if c.zone, err = time.LoadLocation(s); err != nil || s == "Local" {
					err = p.errorf(value, "%s.zone: %q is no time zone", name, s)
				}
			}
		case "values":
			c.values = map[string]string{}
			err = p.pairs(value, name+".values", func(key string, _, value *yaml.Node) error {
				if value.Kind != yaml.ScalarNode {
					return p.errorf(value, "%s.values.%s: want one value", name, key)
				}
				c.values[key] = value.Value
				return nil
			})
		default:
			return p.errorf(at, "%s: %q: not known, want from, const, values, time, zone, split", name, key)
		}
		return err
	})
	if err == nil && (c.from == "") == !constant {
		err = p.errorf(n, "%s: want either from or const", name)
	}
	c.path = strings.Split(c.from, ".")
	return c, err
}

// timeFormats are the times that are numbers, with their units in nanoseconds.
var timeFormats = map[string]float64{"unix": 1e9, "unix_ms": 1e6, "unix_us": 1e3, "unix_ns": 1}

// timeFormat reads the name of a format, or a layout of Go's package time.
func (p *mapParser) timeFormat(n *yaml.Node, name string) (string, error) {
	s, err := p.text(n, name+".time")
	if err != nil || s == "rfc3339" || timeFormats[s] != 0 {
		return s, err
	}
	when := time.Date(2006, 7, 8, 21, 14, 15, 0, time.UTC)
	if back, err := time.Parse(s, when.Format(s)); err != nil || !back.Equal(when) {
		return "", p.errorf(n, "%s.time: got %q, want rfc3339, unix, unix_ms, unix_us, unix_ns, or a layout with date and time such as %q",
			name, s, "2006-01-02 15:04:05")
	}
	return s, nil
}

// errNoRow is no error: the record is of a kind that the map leaves out.
var errNoRow = errors.New("left out")
