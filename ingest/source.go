package ingest

import (
	"context"
	"io"

	"mayfly/trace"
)

// Source decodes one foreign format. Implementations are values without state:
// all that belongs to a file lives in Read, so that one Source may read several
// files at a time.
//
// What the format does not say is null (nil, empty), and 0 in the columns that
// are never null (start_ns, cgroup_id …); it is never invented. Texts are raw
// bytes: the trace's writer escapes what is no UTF-8. Rows come about in the
// order of time; the Sink puts small disorder right, and large disorder costs
// more files.
type Source interface {
	// Format is what --format takes and what trace.Meta.Source says: "tetragon",
	// "falco", "strace" …
	Format() string

	// Sniff reports whether a file is of the format. head is its first bytes, 64 KiB
	// at most, decompressed; a file that is longer ends inside. name is its base
	// name and a hint only: content decides.
	Sniff(name string, head []byte) bool

	// Read decodes the input to its end. A record that is bad is out.Reject's, and
	// reading goes on; an error returned ends the file: of the reader, of the Sink,
	// or that the file as a whole is not of the format. It never panics.
	Read(ctx context.Context, in *Input, out *Sink) error
}

// Input is one file, or member of an archive, decompressed.
type Input struct {
	Name   string    // for messages: "log.tar.gz/2026/audit.log"
	Reader io.Reader // its bytes from Start on
	Start  int64     // offset of Reader's first byte: above 0 where a growing file is continued
	Limits Limits    // none is 0
	Host   string    // --host, for formats that do not name the machine; "" is not known

	// File is the same bytes at random access, from offset 0, where Start is 0 and
	// the format asks for it (RandomAccess); nil otherwise.
	File io.ReaderAt
	Size int64 // of File

	// Sibling opens a file of the same folder or archive, by its base name, for
	// formats that lay a recording in several files. It is nil, or fails with
	// fs.ErrNotExist, where there is none, and in tar archives always.
	Sibling func(name string) (io.ReadCloser, error)
}

// RandomAccess is a Source that needs Input.File: its inputs are spooled to disk
// where they come compressed or through a pipe.
type RandomAccess interface{ RandomAccess() }

// Position is where in an input a record begins.
type Position struct {
	Offset int64 // in bytes, from the begin of the decompressed file
	Line   int64 // from 1; 0 where the format has none
	Record int64 // from 1; 0 is not counted
}

// Machine is what a format says of a host. All of it may be missing.
type Machine struct {
	Arch          string // as GOARCH names it: what the numbers of Sequence.Calls mean
	Kernel        string
	BootID        string
	ClockOffsetNS int64 // wall clock minus time since boot
}

// Sources returns the known formats in the order of detection: the first whose
// Sniff says yes reads the file, so what is particular stands before what is
// general.
func Sources() []Source {
	return []Source{
		Tetragon{},
		Falco{},
		Tracee{},
		Scap{},
		Auditd{},
		Strace{},
		BETH{},
		LIDDS{},
		ADFALD{},
		UNM{},
	}
}

// A row is one of a trace's row structs.
type row interface {
	trace.Event | trace.Sequence | trace.Process | trace.Container | trace.Loss
}
