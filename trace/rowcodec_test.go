package trace

import (
	"math"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filled returns rows whose fields hold all sorts of values: zero, the least, the
// greatest, null, the same as in the row before.
func filled[T any]() []T {
	rows := make([]T, 40)
	for i := range rows {
		v := reflect.ValueOf(&rows[i]).Elem()
		for f := range v.NumField() {
			fill(v.Field(f), (i*7+f*3)%11)
		}
	}
	return rows
}

func fill(v reflect.Value, k int) {
	numbers := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 5, 5, 1 << 40, 0, 77, -300}
	switch v.Kind() {
	case reflect.Int64, reflect.Int32:
		v.SetInt(numbers[k])
	case reflect.Uint64:
		v.SetUint(uint64(numbers[k]))
	case reflect.Bool:
		v.SetBool(k%2 == 0)
	case reflect.String:
		v.SetString([]string{"", "a", "a", "é", "\xff\x00", "/usr/bin/x", "", "a", "b", "b", "b"}[k])
	case reflect.Pointer:
		if k%3 != 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), k)
		}
	case reflect.Slice:
		for j := range k % 4 {
			e := reflect.New(v.Type().Elem()).Elem()
			if e.Kind() == reflect.Uint16 {
				e.SetUint(uint64(k * 5957))
			} else {
				fill(e, (k+j)%11)
			}
			v.Set(reflect.Append(v, e))
		}
	}
}

func testCodec[T any](t *testing.T, codec *rowCodec[T]) {
	t.Helper()
	rows := filled[T]()
	b := codec.append(nil, rows)
	got, err := codec.rows(codec.columns, b)
	if err != nil || !cmp.Equal(got, rows) {
		t.Fatalf("%T: %v %s", rows, err, cmp.Diff(rows, got))
	}
	for n := range b {
		if _, err := codec.rows(codec.columns, b[:n]); err == nil {
			t.Errorf("%T: the first %d of %d bytes: got no error", rows, n, len(b))
		}
	}
	// A journal of another version: a column that is not known, and two that lack.
	type other struct {
		New int64 `parquet:"new"`
	}
	head := newRowCodec[other]()
	columns := append(head.columns, codec.columns[2:]...)
	b = head.append(nil, make([]other, len(rows)))
	for _, encode := range codec.encode[2:] {
		b = encode(b, rows)
	}
	got, err = codec.rows(columns, b)
	for i := range rows {
		v := reflect.ValueOf(&rows[i]).Elem()
		v.Field(0).SetZero()
		v.Field(1).SetZero()
	}
	if err != nil || !cmp.Equal(got, rows) {
		t.Errorf("%T of another version: %v %s", rows, err, cmp.Diff(rows, got))
	}
}

func TestRowCodecs(t *testing.T) {
	testCodec(t, eventCodec)
	testCodec(t, sequenceCodec)
	testCodec(t, processCodec)
	testCodec(t, containerCodec)
	testCodec(t, lossCodec)
	if _, err := lossCodec.rows([]codecColumn{{"x", "float"}}, []byte{1, 2}); err == nil {
		t.Error("a type that is not known: got no error")
	}
}

func FuzzRowCodec(f *testing.F) {
	f.Add(eventCodec.append(nil, filled[Event]()))
	f.Add(sequenceCodec.append(nil, filled[Sequence]()))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = sequenceCodec.rows(sequenceCodec.columns, b)
		rows, err := eventCodec.rows(eventCodec.columns, b)
		if err != nil {
			return
		}
		again, err := eventCodec.rows(eventCodec.columns, eventCodec.append(nil, rows))
		if err != nil || !cmp.Equal(again, rows) {
			t.Fatalf("%v %s", err, cmp.Diff(rows, again))
		}
	})
}
