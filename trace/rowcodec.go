package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"
)

// The rows of a journal's frame: one column after the other, each value by its
// difference from the row before, in varints. It is written beside the Parquet
// pages, so it is made to cost a recorder less processor time than they do
// (BenchmarkJournalEvents); Journals in FORMAT.md describes it.

// rowCodec encodes and decodes the rows of one table.
type rowCodec[T any] struct {
	columns []codecColumn
	encode  []func(b []byte, rows []T) []byte
	decode  map[string]func(r *rowReader, rows []T)
}

// codecColumn names a column and its type in a journal.
type codecColumn struct {
	Name string `json:"name"`
	Type string `json:"type"` // one of the keys of skipColumn
}

func newRowCodec[T any]() *rowCodec[T] {
	c := &rowCodec[T]{decode: map[string]func(*rowReader, []T){}}
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		kind, encode, decode := fieldCodec[T](f)
		c.columns = append(c.columns, codecColumn{name, kind})
		c.encode = append(c.encode, encode)
		c.decode[name+" "+kind] = decode
	}
	return c
}

// maxFrameRows bounds the rows of one frame.
const maxFrameRows = 1 << 16

// append adds the rows, maxFrameRows at most, to b.
func (c *rowCodec[T]) append(b []byte, rows []T) []byte {
	b = binary.AppendUvarint(b, uint64(len(rows)))
	if len(rows) == 0 {
		return b
	}
	for _, encode := range c.encode {
		b = encode(b, rows)
	}
	return b
}

// rows reads what append wrote with these columns, which may be another
// version's: columns that T has not are passed over, those that it has besides
// stay zero.
func (c *rowCodec[T]) rows(columns []codecColumn, b []byte) ([]T, error) {
	r := &rowReader{b: b}
	n := r.uvarint()
	if n > maxFrameRows || n > uint64(len(b)) {
		return nil, fmt.Errorf("declares %d rows in %d bytes", n, len(b))
	}
	rows := make([]T, n)
	for _, column := range columns {
		if decode, ok := c.decode[column.Name+" "+column.Type]; ok {
			decode(r, rows)
		} else if skip, ok := skipColumn[column.Type]; ok {
			skip(r, int(n))
		} else {
			return nil, fmt.Errorf("column %.40q: type %.10q is not known", column.Name, column.Type)
		}
		if r.err != nil {
			return nil, fmt.Errorf("column %.40q: %w", column.Name, r.err)
		}
	}
	if len(r.b) > 0 {
		return nil, fmt.Errorf("%d bytes after the last column", len(r.b))
	}
	return rows, nil
}

// skipColumn passes over n values of each type.
var skipColumn = map[string]func(r *rowReader, n int){
	"int": func(r *rowReader, n int) { skipValues(n, r.uvarint) },
	"int?": func(r *rowReader, n int) {
		var v *int64
		var last int64
		skipValues(n, func() *int64 { r.number(&v, &last); return v })
	},
	"bool":        func(r *rowReader, n int) { skipValues(n, r.byte) },
	"bool?":       func(r *rowReader, n int) { skipValues(n, r.byte) },
	"string":      func(r *rowReader, n int) { skipValues(n, r.text) },
	"strings":     func(r *rowReader, n int) { skipValues(n, r.texts) },
	"list uint16": func(r *rowReader, n int) { skipValues(n, r.shorts) },
}

func skipValues[V any](n int, read func() V) {
	for range n {
		read()
	}
}

// fieldCodec returns the name, the encoder and the decoder of a field's type. It
// panics on a type that no row struct has.
func fieldCodec[T any](f reflect.StructField) (string, func([]byte, []T) []byte, func(*rowReader, []T)) {
	switch k := f.Type.Kind(); {
	case k == reflect.Int64 || k == reflect.Uint64:
		return codec[T](f, "int", appendDeltas[int64], func(r *rowReader) func(*int64) { return delta[int64](r) })
	case k == reflect.Int32:
		return codec[T](f, "int", appendDeltas[int32], func(r *rowReader) func(*int32) { return delta[int32](r) })
	case k == reflect.Bool:
		return codec[T](f, "bool", appendBools, func(r *rowReader) func(*bool) { return func(v *bool) { *v = r.byte() == 1 } })
	case k == reflect.String:
		return codec[T](f, "string", appendTexts, func(r *rowReader) func(*string) { return func(v *string) { *v = r.text() } })
	case k == reflect.Pointer && f.Type.Elem().Kind() == reflect.Int64:
		return codec[T](f, "int?", appendMaybeInts, func(r *rowReader) func(**int64) {
			var last int64
			return func(v **int64) { r.number(v, &last) }
		})
	case k == reflect.Pointer && f.Type.Elem().Kind() == reflect.Bool:
		return codec[T](f, "bool?", appendMaybeBools, func(r *rowReader) func(**bool) {
			return func(v **bool) {
				if b := r.byte(); b < 2 {
					*v = new(b == 1)
				}
			}
		})
	case k == reflect.Slice && f.Type.Elem().Kind() == reflect.String:
		return codec[T](f, "strings", appendLists, func(r *rowReader) func(*[]string) { return func(v *[]string) { *v = r.texts() } })
	case k == reflect.Slice && f.Type.Elem().Kind() == reflect.Uint16:
		return codec[T](f, "list uint16", appendShorts, func(r *rowReader) func(*[]uint16) { return func(v *[]uint16) { *v = r.shorts() } })
	}
	panic(fmt.Sprintf("field %s: no encoding of %s", f.Name, f.Type))
}

// cells are the values of one field in rows that stand one after the other.
type cells[F any] struct {
	first  unsafe.Pointer
	stride uintptr
	n      int
}

func (c cells[F]) at(i int) *F { return (*F)(unsafe.Add(c.first, uintptr(i)*c.stride)) }

// codec makes functions of rows of those of a field's values.
func codec[T, F any](f reflect.StructField, kind string, add func([]byte, cells[F]) []byte,
	reader func(*rowReader) func(*F)) (string, func([]byte, []T) []byte, func(*rowReader, []T)) {
	encode := func(b []byte, rows []T) []byte {
		return add(b, cells[F]{unsafe.Pointer(fieldAt[F](&rows[0], f.Offset)), unsafe.Sizeof(rows[0]), len(rows)})
	}
	decode := func(r *rowReader, rows []T) {
		read := reader(r)
		r.last = ""
		for i := range rows {
			read(fieldAt[F](&rows[i], f.Offset))
		}
	}
	return kind, encode, decode
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// appendUvarint is binary.AppendUvarint; most numbers here take a byte.
func appendUvarint(b []byte, u uint64) []byte {
	if u < 0x80 {
		return append(b, byte(u))
	}
	return binary.AppendUvarint(b, u)
}

func appendDeltas[F int64 | int32](b []byte, values cells[F]) []byte {
	last := int64(0)
	for i := range values.n {
		v := int64(*values.at(i))
		b = appendUvarint(b, zigzag(v-last))
		last = v
	}
	return b
}

func delta[F int64 | int32](r *rowReader) func(*F) {
	var last int64
	return func(v *F) {
		last += unzigzag(r.uvarint())
		*v = F(last)
	}
}

func appendBools(b []byte, values cells[bool]) []byte {
	for i := range values.n {
		b = append(b, bit(*values.at(i)))
	}
	return b
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendMaybeBools(b []byte, values cells[*bool]) []byte {
	for i := range values.n {
		if v := *values.at(i); v == nil {
			b = append(b, 2)
		} else {
			b = append(b, bit(*v))
		}
	}
	return b
}

// Numbers that may be null: 0 null, 1 the value of the row before, 2 and a value.
func appendMaybeInts(b []byte, values cells[*int64]) []byte {
	var last *int64
	for i := range values.n {
		v := *values.at(i)
		switch {
		case v == nil:
			b = append(b, 0)
		case v == last || last != nil && *last == *v:
			b = append(b, 1)
		default:
			b = appendUvarint(append(b, 2), zigzag(*v))
		}
		last = v
	}
	return b
}

// Texts: 0 that of the row before, else its length + 1 and its bytes.
func appendTexts(b []byte, values cells[string]) []byte {
	last := ""
	for i := range values.n {
		v := *values.at(i)
		if shared(v, last) || v == last {
			b = append(b, 0)
			continue
		}
		b = append(appendUvarint(b, uint64(len(v))+1), v...)
		last = v
	}
	return b
}

func appendLists(b []byte, values cells[[]string]) []byte {
	for i := range values.n {
		v := *values.at(i)
		b = appendUvarint(b, uint64(len(v)))
		for _, s := range v {
			b = append(appendUvarint(b, uint64(len(s))), s...)
		}
	}
	return b
}

func appendShorts(b []byte, values cells[[]uint16]) []byte {
	for i := range values.n {
		v := *values.at(i)
		b = appendUvarint(b, uint64(len(v)))
		for _, u := range v {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

// rowReader reads values off b; err is the first that went wrong.
type rowReader struct {
	b    []byte
	last string
	err  error
}

var errFrameCut = errors.New("cut short")

func (r *rowReader) uvarint() uint64 {
	u, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.err = nil, errFrameCut
		return 0
	}
	r.b = r.b[n:]
	return u
}

func (r *rowReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.err = nil, errFrameCut
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *rowReader) byte() byte {
	if b := r.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *rowReader) number(v **int64, last *int64) {
	switch r.byte() {
	case 0:
		return
	case 1:
	default:
		*last = unzigzag(r.uvarint())
	}
	*v = new(*last)
}

func (r *rowReader) text() string {
	if n := r.uvarint(); n > 0 {
		r.last = string(r.bytes(n - 1))
	}
	return r.last
}

func (r *rowReader) texts() []string {
	n := r.uvarint()
	if n == 0 || n > uint64(len(r.b)) {
		if n > 0 {
			r.err = errFrameCut
		}
		return nil
	}
	all := make([]string, n)
	for i := range all {
		all[i] = string(r.bytes(r.uvarint()))
	}
	return all
}

func (r *rowReader) shorts() []uint16 {
	n := r.uvarint()
	if n == 0 || n > uint64(len(r.b))/2 {
		if n > 0 {
			r.err = errFrameCut
		}
		return nil
	}
	b, all := r.bytes(2*n), make([]uint16, n)
	for i := range all {
		all[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return all
}
