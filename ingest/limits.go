package ingest

import "cmp"

// Limits bound what a foreign file may ask of its reader, so that a hostile or
// damaged one costs an error and not the machine. A field that is 0 means its
// default.
type Limits struct {
	LineBytes   int64 // one line or record; default 8 MiB
	StringBytes int64 // one text of a row; longer ones make the record bad; argv has three times as much and is cut; default 8 KiB
	ListLength  int64 // elements of one list of a row (argv); default 65536
	Nesting     int   // objects and arrays inside each other; default 128
	Columns     int   // of a table, CSV or Parquet; default 4096
	Records     int64 // of one file; default 1e10
	Hosts       int   // different hosts in one command; default 10000

	Ratio   int64 // decompressed over compressed size, beyond the first 64 MiB; default 250
	Bytes   int64 // decompressed, of one argument; default 1 TiB
	Members int64 // of all archives of one argument; default 1e6
	Depth   int   // archives and compressions inside each other; default 4
	Window  int64 // memory of one decompressor; default 128 MiB

	PageBytes  int64 // one page of Parquet, decompressed; default 64 MiB
	GroupRows  int64 // rows of one row group of Parquet; default 16 Mi
	Memory     int64 // of the process that reads untrusted Parquet; default 512 MiB
	CPUSeconds int64 // of that process, for one file; default 600
}

// DefaultLimits returns the limits where a field is 0.
func DefaultLimits() Limits {
	return Limits{LineBytes: 8 << 20, StringBytes: 8 << 10, ListLength: 1 << 16, Nesting: 128, Columns: 4096,
		Records: 1e10, Hosts: 10000, Ratio: 250, Bytes: 1 << 40, Members: 1e6, Depth: 4, Window: 128 << 20,
		PageBytes: 64 << 20, GroupRows: 16 << 20, Memory: 512 << 20, CPUSeconds: 600}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	l.LineBytes, l.StringBytes = cmp.Or(l.LineBytes, d.LineBytes), cmp.Or(l.StringBytes, d.StringBytes)
	l.ListLength, l.Nesting = cmp.Or(l.ListLength, d.ListLength), cmp.Or(l.Nesting, d.Nesting)
	l.Columns, l.Records, l.Hosts = cmp.Or(l.Columns, d.Columns), cmp.Or(l.Records, d.Records), cmp.Or(l.Hosts, d.Hosts)
	l.Ratio, l.Bytes = cmp.Or(l.Ratio, d.Ratio), cmp.Or(l.Bytes, d.Bytes)
	l.Members, l.Depth, l.Window = cmp.Or(l.Members, d.Members), cmp.Or(l.Depth, d.Depth), cmp.Or(l.Window, d.Window)
	l.PageBytes, l.GroupRows = cmp.Or(l.PageBytes, d.PageBytes), cmp.Or(l.GroupRows, d.GroupRows)
	l.Memory, l.CPUSeconds = cmp.Or(l.Memory, d.Memory), cmp.Or(l.CPUSeconds, d.CPUSeconds)
	return l
}
