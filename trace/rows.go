package trace

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Rows returns the rows of a record as structs: for the small tables and for
// tests. The hot path has ViewEvents and ViewSequences. The record has every
// column of the struct, but for those added after the first version, which may be
// missing; others are ignored. Nothing of the result belongs to the record.
func Rows[T Event | Sequence | Process | Container | Loss](rec arrow.Record) ([]T, error) {
	rows := make([]T, rec.NumRows())
	t := reflect.TypeFor[T]()
	c := columns{rec: rec, table: rowTables[t]}
	for f := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(f).Tag.Get("parquet"), ",")
		set := c.setter(name, t.Field(f).Type)
		if c.err != nil {
			return nil, c.err
		}
		for i := range rows {
			set(reflect.ValueOf(&rows[i]).Elem().Field(f), i)
		}
	}
	return rows, nil
}

// setter returns what sets a struct's field to a row of the column.
func (c *columns) setter(name string, t reflect.Type) func(reflect.Value, int) {
	switch t.Kind() {
	case reflect.String:
		if a := c.strings(name); a != nil {
			return func(v reflect.Value, i int) { v.SetString(strings.Clone(a.Value(i))) }
		}
	case reflect.Int32:
		a := c.int32s(name)
		return func(v reflect.Value, i int) { v.SetInt(int64(a[i])) }
	case reflect.Uint64:
		a := c.uint64s(name)
		return func(v reflect.Value, i int) { v.SetUint(a[i]) }
	case reflect.Int64:
		a := c.times64(name)
		return func(v reflect.Value, i int) { v.SetInt(a[i]) }
	case reflect.Bool:
		if a := c.bools(name); a != nil {
			return func(v reflect.Value, i int) { v.SetBool(a.Value(i)) }
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			a := c.stringLists(name)
			return func(v reflect.Value, i int) { v.Set(reflect.ValueOf(a.clone(i))) }
		}
		offsets, values := c.uint16Lists(name)
		return func(v reflect.Value, i int) {
			if offsets[i] < offsets[i+1] {
				v.Set(reflect.ValueOf(slices.Clone(values[offsets[i]:offsets[i+1]])))
			}
		}
	case reflect.Pointer:
		return c.pointerSetter(name, t.Elem())
	}
	c.fail(fmt.Errorf("column %q: no way to %s", name, t))
	return nil
}

func (c *columns) pointerSetter(name string, t reflect.Type) func(reflect.Value, int) {
	if t.Kind() == reflect.Bool {
		if a := c.bools(name); a != nil {
			return func(v reflect.Value, i int) {
				if a.IsValid(i) {
					v.Set(reflect.ValueOf(new(a.Value(i))))
				}
			}
		}
		return nil
	}
	if a := c.nullable(name); a != nil {
		return func(v reflect.Value, i int) {
			if n, ok := number(a, i); ok {
				v.Set(reflect.ValueOf(&n))
			}
		}
	}
	return nil
}

// times64 reads a column of int64 or of times.
func (c *columns) times64(name string) []int64 {
	if _, ok := c.array(name).(*array.Timestamp); ok {
		return c.times(name)
	}
	return c.int64s(name)
}

func (l stringLists) clone(i int) []string {
	all := l.all(i)
	for j := range all {
		all[j] = strings.Clone(all[j])
	}
	return all
}

// Containers returns what the trace knows of each container, by container id:
// its rows put over each other in the order of their time, so that a later fact
// replaces an earlier one and a null replaces nothing. TimeNS is that of the
// latest row. Memory grows with the rows of the containers table.
func (t *Trace) Containers(ctx context.Context) (map[string]Container, error) {
	rows := map[string][]Container{}
	for rec, err := range t.Scan(ctx, Containers, ScanOptions{}) {
		if err != nil {
			return nil, err
		}
		batch, err := Rows[Container](rec)
		rec.Release()
		if err != nil {
			return nil, err
		}
		for _, c := range batch {
			rows[c.ContainerID] = append(rows[c.ContainerID], c)
		}
	}
	merged := make(map[string]Container, len(rows))
	for id, all := range rows {
		slices.SortStableFunc(all, func(a, b Container) int {
			return cmp.Compare(a.TimeNS, b.TimeNS)
		})
		var c Container
		for _, row := range all {
			Overlay(&c, &row)
		}
		merged[id] = c
	}
	return merged, nil
}

// Overlay sets each field of dst that src knows: what is not null, empty or 0.
func Overlay(dst, src *Container) {
	to, from := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}
