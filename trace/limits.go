package trace

// Limits bound what a Parquet file may ask of its reader, so that a hostile or
// damaged file costs an error and not the machine's memory. The zero value of a
// field means its default.
type Limits struct {
	Columns        int   // leaf columns of the schema
	RowGroups      int   // row groups of the file
	GroupRows      int64 // rows of one row group
	FooterBytes    int64 // Parquet footer (schema, row groups, metadata)
	PageBytes      int64 // one page, compressed or not; dictionary pages too
	PageValues     int64 // values of one page
	StringBytes    int64 // one string
	ListLength     int64 // elements of one list
	BatchRows      int   // rows of one record
	BatchBytes     int64 // one record, all columns together
	MetadataValues int   // entries of the key-value metadata
}

// DefaultLimits returns the limits that Open and OpenParquet use. They leave
// room for files that DuckDB or pyarrow wrote with their own defaults.
func DefaultLimits() Limits {
	return Limits{
		Columns:        4096,
		RowGroups:      32767,
		GroupRows:      16 << 20,
		FooterBytes:    64 << 20,
		PageBytes:      64 << 20,
		PageValues:     16 << 20,
		StringBytes:    1 << 20,
		ListLength:     1 << 20,
		BatchRows:      8192,
		BatchBytes:     512 << 20,
		MetadataValues: 4096,
	}
}
