package trace

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/parquet-go/parquet-go"
)

// everyType has a column of each type in use, once plain, once nullable, once
// as list and once as a list that may be null.
func everyType() *arrow.Schema {
	var fields []arrow.Field
	for _, t := range []arrow.DataType{arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, arrow.FixedWidthTypes.Boolean, timestampNS} {
		name := strings.ReplaceAll(typeName(t), " ", "")
		fields = append(fields,
			arrow.Field{Name: "z_" + name, Type: t}, arrow.Field{Name: "null_" + name, Type: t, Nullable: true},
			arrow.Field{Name: "list_" + name, Type: listOf(t)}, arrow.Field{Name: "a_" + name, Type: listOf(t), Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

func everyTypeRecord(rows, from int) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, everyType())
	for i := from; i < from+rows; i++ {
		for c, f := range b.Schema().Fields() {
			switch {
			case f.Nullable && (i+c)%3 == 0:
				b.Field(c).AppendNull()
			case f.Type.ID() == arrow.LIST:
				list := b.Field(c).(*array.ListBuilder)
				list.Append(true)
				for j := range (i + c) % 5 {
					appendNumber(list.ValueBuilder(), i*7+j)
				}
			default:
				appendNumber(b.Field(c), i*3)
			}
		}
	}
	return b.NewRecord()
}

func appendNumber(b array.Builder, n int) {
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(strings.Repeat("é", n%4))
	case *array.Int32Builder:
		b.Append(int32(-n))
	case *array.Int64Builder:
		b.Append(int64(-n) << 20)
	case *array.Uint16Builder:
		b.Append(uint16(0xffff - n))
	case *array.Uint32Builder:
		b.Append(0xffffffff - uint32(n))
	case *array.Uint64Builder:
		b.Append(^uint64(n))
	case *array.Float32Builder:
		b.Append(float32(n) / 3)
	case *array.Float64Builder:
		b.Append(float64(n) / 7)
	case *array.BooleanBuilder:
		b.Append(n%3 == 0)
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n))
	}
}

func writeRecords(t testing.TB, path string, opts ParquetOptions, records ...arrow.Record) {
	t.Helper()
	w, err := CreateParquet(path, records[0].Schema(), map[string]string{"b": "2", "a": "1\xff"}, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, rec := range records {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestParquetRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	records := []arrow.Record{everyTypeRecord(700, 0), everyTypeRecord(1, 700), everyTypeRecord(1299, 701)}
	writeRecords(t, path, ParquetOptions{GroupRows: 777}, records...)
	for _, batch := range []int{1, 13, 8192} {
		f, err := OpenParquet(path, nil, Limits{BatchRows: batch})
		if err != nil {
			t.Fatal(err)
		}
		check(t, "schema", f.Schema().String(), everyType().String())
		check(t, "metadata", f.Metadata(), map[string]string{"a": `1\xff`, "b": "2"})
		all := everyTypeRecord(2000, 0)
		at := int64(0)
		for rec, err := range f.Records(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			if want := all.NewSlice(at, at+rec.NumRows()); !array.RecordEqual(rec, want) {
				t.Fatalf("rows from %d on: got %v, want %v", at, rec, want)
			}
			at += rec.NumRows()
			rec.Release()
		}
		if at != 2000 || f.NumRows() != 2000 {
			t.Errorf("got %d rows, footer %d, want 2000", at, f.NumRows())
		}
		f.Close()
	}
	again := filepath.Join(t.TempDir(), "y.parquet")
	writeRecords(t, again, ParquetOptions{GroupRows: 777}, records...)
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(again)
	if !bytes.Equal(a, b) {
		t.Error("the same records gave other bytes")
	}
}

func TestParquetProjection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	writeRecords(t, path, ParquetOptions{}, everyTypeRecord(100, 0).NewSlice(10, 90))
	want := arrow.NewSchema([]arrow.Field{{Name: "list_uint16", Type: listOf(arrow.PrimitiveTypes.Uint16)},
		{Name: "z_string", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	f, err := OpenParquet(path, want, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for rec, err := range f.Records(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all := everyTypeRecord(100, 0).NewSlice(10, 90)
		if !array.Equal(rec.Column(0), all.Column(14)) || !array.Equal(rec.Column(1), all.Column(0)) {
			t.Errorf("got %v, want %v and %v", rec, all.Column(14), all.Column(0))
		}
	}
	want = arrow.NewSchema([]arrow.Field{{Name: "null_int32", Type: arrow.PrimitiveTypes.Int32}}, nil)
	if f, err = OpenParquet(path, want, Limits{}); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, err := range f.Records(context.Background()) {
		wantError(t, "nulls", err, path, `column "null_int32": null where the column has none`)
	}
}

func TestParquetWriterRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, schema := range map[string]*arrow.Schema{
		"schema without columns": arrow.NewSchema(nil, nil),
		`column "a": int8`:       arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int8}}, nil),
		`column "b": twice`: arrow.NewSchema([]arrow.Field{{Name: "b", Type: arrow.PrimitiveTypes.Int32},
			{Name: "b", Type: arrow.PrimitiveTypes.Int32}}, nil),
	} {
		_, err := CreateParquet(filepath.Join(dir, "x.parquet"), schema, nil, ParquetOptions{})
		wantError(t, name, err, "x.parquet", name)
	}
	w, err := CreateParquet(filepath.Join(dir, "x.parquet"), ArrowSchema(Losses), nil, ParquetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "other record", w.Write(everyTypeRecord(1, 0)), "record of 40 columns: want 7")
	wantError(t, "close after an error", w.Close(), "record of 40 columns: want 7")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 0 {
		t.Errorf("got %v, %v: want no file left", files, err)
	}
}

// TestParquetRowGroups holds that a file of many row groups' bytes has as many row
// groups, and not one for each write from the first full one on: each costs
// whoever opens the file memory.
func TestParquetRowGroups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	records := make([]arrow.Record, 40)
	for i := range records {
		records[i] = everyTypeRecord(writeRows, i*writeRows)
		defer records[i].Release()
	}
	opts := ParquetOptions{GroupBytes: 1 << 20}
	writeRecords(t, path, opts, records...)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	groups := len(file.RowGroups())
	// A group's pages are compressed once it is complete, so that it is smaller then.
	if most := len(records) / 3; groups < 2 || groups > most {
		t.Errorf("%d bytes, row groups of at most %d before they are compressed: got %d row groups, want 2 to %d", info.Size(), opts.GroupBytes, groups, most)
	}
}

// A long file has longer row groups, so that its footer stays one that can be read.
func TestParquetRowGroupsGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	records := []arrow.Record{everyTypeRecord(100, 0), everyTypeRecord(111, 100)}
	writeRecords(t, path, ParquetOptions{GroupRows: 10, GrowAfter: 3, MaxGroupRows: 35}, records...)
	f, err := OpenParquet(path, nil, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []int64
	for _, g := range f.parquet.RowGroups() {
		rows = append(rows, g.NumRows())
	}
	check(t, "rows of the row groups", rows, []int64{10, 10, 10, 20, 20, 20, 35, 35, 35, 16})
}
