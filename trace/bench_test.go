package trace

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/sys/unix"
)

const benchRows = 200_000

func BenchmarkWriteEvents(b *testing.B) {
	benchWrite(b, sampleEvents(benchRows, 1), (*Writer).Events, Events)
}

func BenchmarkWriteSequences(b *testing.B) {
	rows := sampleSequences(benchRows/10, 1)
	calls := 0
	for i := range rows {
		calls += len(rows[i].Calls)
	}
	size := benchWrite(b, rows, (*Writer).Sequences, Sequences)
	b.ReportMetric(float64(size)/float64(calls), "bytes/call")
	b.ReportMetric(float64(calls)*float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// benchWrite writes rows in pieces of a ring's size and returns the bytes on disk.
func benchWrite[T any](b *testing.B, rows []T, write func(*Writer, []T) error, table Table) int64 {
	var size int64
	from := processorNS(b)
	for b.Loop() {
		dir := b.TempDir()
		w, err := NewWriter(dir, testMeta("web-1"), DefaultWriterOptions())
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < len(rows); i += 1000 {
			if err := write(w, rows[i:min(i+1000, len(rows))]); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		size = fileSize(b, dir, table)
		b.StartTimer()
	}
	b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(size)/float64(len(rows)), "bytes/row")
	b.ReportMetric(float64(processorNS(b)-from)/float64(b.N*len(rows)), "cpu-ns/row")
	return size
}

func fileSize(b *testing.B, dir string, table Table) int64 {
	files, err := filepath.Glob(filepath.Join(dir, string(table), "*", "*", "*.parquet"))
	if err != nil || len(files) != 1 {
		b.Fatal(files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

func benchTrace(b *testing.B) *Trace {
	dir := b.TempDir()
	writeBench(b, dir)
	t, err := Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

func writeBench(b *testing.B, dir string) {
	w, err := NewWriter(dir, testMeta("web-1"), DefaultWriterOptions())
	if err != nil {
		b.Fatal(err)
	}
	for _, err := range []error{w.Events(sampleEvents(benchRows, 1)), w.Sequences(sampleSequences(benchRows/10, 1)), w.Close()} {
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanEvents(b *testing.B)    { benchScan(b, Events) }
func BenchmarkScanSequences(b *testing.B) { benchScan(b, Sequences) }

func benchScan(b *testing.B, table Table) {
	t := benchTrace(b)
	rows := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		for rec, err := range t.Scan(context.Background(), table, ScanOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			rows += rec.NumRows()
			rec.Release()
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// The row loop of parquet-go: what Scan is measured against.
func BenchmarkRowLoopEvents(b *testing.B)    { benchRowLoop[Event](b, Events) }
func BenchmarkRowLoopSequences(b *testing.B) { benchRowLoop[Sequence](b, Sequences) }

func benchRowLoop[T any](b *testing.B, table Table) {
	path := benchTrace(b).Files(table)[0].Path
	batch, rows := make([]T, 8192), 0
	b.ReportAllocs()
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		r := parquet.NewGenericReader[T](f)
		for {
			n, err := r.Read(batch)
			rows += n
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := errors.Join(r.Close(), f.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkMerge(b *testing.B) {
	t := benchTrace(b)
	rows, calls := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		for row, err := range Merge(context.Background(), t) {
			if err != nil {
				b.Fatal(err)
			}
			rows++
			if row.Sequence != nil {
				calls += len(row.Sequence.Calls(row.Index))
			}
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(calls)/b.Elapsed().Seconds(), "calls/s")
}

// What the journal costs beside the Parquet pages: rows through a Recording that
// syncs every 4000 rows, a second of a busy host.
func BenchmarkRecordEvents(b *testing.B) {
	benchRecord(b, sampleEvents(benchRows, 1), (*Recording).Events)
}

func BenchmarkRecordSequences(b *testing.B) {
	benchRecord(b, sampleSequences(benchRows/10, 1), (*Recording).Sequences)
}

func benchRecord[T any](b *testing.B, rows []T, write func(*Recording, []T) error) {
	journal, from := int64(0), processorNS(b)
	for b.Loop() {
		r, _, err := OpenRecording(b.TempDir(), testMeta("web-1"), RecordingOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < len(rows); i += 4000 {
			if err := errors.Join(write(r, rows[i:min(i+4000, len(rows))]), r.Sync()); err != nil {
				b.Fatal(err)
			}
		}
		journal = r.journal.bytes
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(journal)/float64(len(rows)), "journal-bytes/row")
	b.ReportMetric(float64(processorNS(b)-from)/float64(b.N*len(rows)), "cpu-ns/row")
}

// BenchmarkRecordOpens takes rows as a recorder makes them of a server that opens
// one file: texts and numbers are shared, and so is the memory of the batches.
func BenchmarkRecordOpens(b *testing.B) {
	const batch, batches = 2048, 100
	rows, counters := sampleOpens(batch)
	from := processorNS(b)
	for b.Loop() {
		r, _, err := OpenRecording(b.TempDir(), testMeta("web-1"), RecordingOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for i := range batches {
			for j := range rows {
				rows[j].TimeNS += batch * 20_000
				rows[j].BootNS += batch * 20_000
				counters[j] += batch
			}
			err := r.Events(rows)
			if i%25 == 0 {
				err = errors.Join(err, r.Sync())
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processorNS(b)-from)/float64(b.N*batch*batches), "cpu-ns/row")
}

// sampleOpens returns n opens of one thread, 20 µs from one to the next, and the
// numbers that their Seq point to.
func sampleOpens(n int) (rows []Event, counters []int64) {
	rows, counters = make([]Event, n), make([]int64, n)
	kind, container, uid, flags, mode, cpu := string(FileOpen), containerID(1), ptr(int64(33)), ptr(int64(0x8800)), ptr(int64(0)), ptr(int64(1))
	var descriptors [20]int64
	for i := range rows {
		at := int64(i)*20_000 + int64(i*7919%3000)
		counters[i], descriptors[i%20] = int64(i), int64(10+i%20)
		rows[i] = Event{TimeNS: startNS + at, BootNS: 5_000_000_000 + at, Kind: kind, ContainerID: container, CgroupID: 5000,
			PID: 4000, TID: 4000, StartNS: 4_000_000_000, PPID: 3990, UID: uid, GID: uid, Comm: "nginx", Exe: "/usr/sbin/nginx",
			Ret: &descriptors[i%20], Path: "/www/index.html", Flags: flags, Mode: mode, CPU: cpu, Seq: &counters[i]}
	}
	return rows, counters
}

// The rows' encoding alone, beside a small Parquet file of them in memory.
func BenchmarkJournalEvents(b *testing.B) {
	benchJournal(b, Events, eventCodec, sampleEvents(benchRows/10, 1))
}

func BenchmarkJournalSequences(b *testing.B) {
	benchJournal(b, Sequences, sequenceCodec, sampleSequences(benchRows/100, 1))
}

func benchJournal[T any](b *testing.B, table Table, codec *rowCodec[T], rows []T) {
	b.Run("frame", func(b *testing.B) {
		j := newJournal(nil, journalHead{})
		from := processorNS(b)
		for b.Loop() {
			j.buffer = j.buffer[:0]
			addRows(j, table, codec, rows)
		}
		b.ReportMetric(float64(processorNS(b)-from)/float64(b.N*len(rows)), "cpu-ns/row")
		b.ReportMetric(float64(len(j.buffer))/float64(len(rows)), "bytes/row")
	})
	b.Run("parquet", func(b *testing.B) {
		var out bytes.Buffer
		w := parquet.NewGenericWriter[T](&out, parquet.Compression(&parquet.Snappy))
		from := processorNS(b)
		for b.Loop() {
			out.Reset()
			w.Reset(&out)
			if _, err := w.Write(rows); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(processorNS(b)-from)/float64(b.N*len(rows)), "cpu-ns/row")
		b.ReportMetric(float64(out.Len())/float64(len(rows)), "bytes/row")
	})
}

// processorNS is the processor time of the process so far: what a benchmark tells
// on a machine that others use, too.
func processorNS(b *testing.B) int64 {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}
