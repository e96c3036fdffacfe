package trace

import (
	"cmp"
	"math"
)

// Limits bound what a Parquet file may ask of its reader, so that a hostile or
// damaged file costs an error and not the machine's memory. The zero value of a
// field means its default.
type Limits struct {
	Columns     int   // leaf columns of the schema
	RowGroups   int   // row groups of the file
	GroupRows   int64 // rows of one row group
	FooterBytes int64 // Parquet footer (schema, row groups, metadata)
	PageBytes   int64 // one page, compressed or not; dictionary pages too
	PageValues  int64 // values of one page
	StringBytes int64 // one string
	ListLength  int64 // elements of one list
	BatchRows   int   // rows of one record
	BatchBytes  int64 // one record, all columns together
	FooterItems int   // structs in the footer: columns of the schema and of row groups, encoding statistics …
}

// DefaultLimits returns the limits that Open and OpenParquet use. They leave
// room for files that DuckDB or pyarrow wrote with their own defaults.
func DefaultLimits() Limits {
	return Limits{
		Columns:     4096,
		RowGroups:   32767,
		GroupRows:   16 << 20,
		FooterBytes: 32 << 20,
		PageBytes:   64 << 20,
		PageValues:  16 << 20,
		StringBytes: 1 << 20,
		ListLength:  1 << 20,
		BatchRows:   8192,
		BatchBytes:  512 << 20,
		FooterItems: 4 << 20,
	}
}

// orDefaults returns l with a default in place of each zero.
func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	l.Columns, l.RowGroups = cmp.Or(l.Columns, d.Columns), cmp.Or(l.RowGroups, d.RowGroups)
	l.GroupRows = cmp.Or(l.GroupRows, d.GroupRows)
	l.FooterBytes, l.FooterItems = cmp.Or(l.FooterBytes, d.FooterBytes), cmp.Or(l.FooterItems, d.FooterItems)
	l.PageBytes, l.PageValues = cmp.Or(l.PageBytes, d.PageBytes), cmp.Or(l.PageValues, d.PageValues)
	l.StringBytes, l.ListLength = cmp.Or(l.StringBytes, d.StringBytes), cmp.Or(l.ListLength, d.ListLength)
	l.BatchRows, l.BatchBytes = cmp.Or(l.BatchRows, d.BatchRows), cmp.Or(l.BatchBytes, d.BatchBytes)
	// Arrow's offsets are of 31 bits.
	l.BatchBytes = min(l.BatchBytes, math.MaxInt32)
	return l
}
