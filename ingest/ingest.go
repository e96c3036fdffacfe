package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"mayfly/feature"
	"mayfly/trace"
)

// Options says what to make of recordings. At least one of Output and Trace is set.
type Options struct {
	Output     string // the FEATURES file to write; "" writes none
	Trace      string // the directory to take foreign files into; "" keeps them only until Output is written
	WidthNS    int64  // of a window; default 1 s
	LatenessNS int64  // how late a row may come; default 5 s, below 0 is none
	HostToo    bool   // the host's own processes make windows too
	SkipBad    bool   // leave out inputs that cannot be read, rather than to give up
	Creator    string // program and version, written into the files

	Format string    // of foreign files; "" finds it by content
	Host   string    // of foreign files that do not name their machine
	Strict bool      // the first bad record of a foreign file ends the work
	Limits Limits    // of foreign files
	Stdin  io.Reader // what the path "-" reads

	Sources []Source // of foreign files; nil: Sources()

	// Planned is told how many rows of events and sequences will be read for windows,
	// before they are, and Read of bytes that were read of files before that: checked,
	// or of other programs. Nil is not told.
	Planned func(rows int64)
	Read    func(bytes int64)

	// Checker makes the command whose process is ServeChecks: every Parquet file is
	// read there once before it is read here. Nil trusts the files.
	Checker func(context.Context) *exec.Cmd

	// Objects makes the command whose process is mayfly-object, which reads the URLs of
	// object stores. Nil reads none.
	Objects func(context.Context) (*exec.Cmd, error)
}

// Report says what became of the inputs.
type Report struct {
	feature.Counts
	Traces  int         // used
	Files   int         // of events and sequences
	Bad     []BadTrace  // left out, in the order given
	Foreign *Conversion // of foreign files; nil where none was given
}

// BadTrace is an input that could not be used.
type BadTrace struct {
	Path string
	Err  error // names the file and the cause
}

// Run makes one FEATURES file of recordings: traces (directories, or single
// Parquet files of them) and foreign files, which become a trace first (see
// Convert). Where something is wrong no FEATURES file is left, the error names
// the file and the cause, and with SkipBad it is only reported, as long as one
// input can be used.
func Run(ctx context.Context, paths []string, opts Options) (*Report, error) {
	if len(paths) == 0 {
		return nil, errors.New("ingest: no traces")
	}
	if opts.Output == "" && opts.Trace == "" {
		return nil, errors.New("ingest: no output")
	}
	check := &checker{begin: opts.Checker, limits: opts.Limits.orDefaults(), read: opts.Read}
	defer func() { _ = check.end() }() // it has said all that counts
	objects := &objects{begin: opts.Objects}
	defer func() { _ = objects.end() }() // likewise
	near := &fetched{url: map[string]string{}}
	defer near.remove()
	report := &Report{}
	err := opts.run(ctx, paths, check, objects, near, report)
	for i := range report.Bad {
		report.Bad[i].Err = near.named(report.Bad[i].Err)
	}
	if err != nil {
		return nil, near.named(err)
	}
	return report, nil
}

func (o Options) run(ctx context.Context, paths []string, check *checker, objects *objects, near *fetched, report *Report) error {
	local, err := o.fetch(ctx, paths, objects, near, report)
	if err != nil {
		return err
	}
	traces, foreign, err := o.sort(ctx, local, check, report)
	if err != nil {
		return err
	}
	if o.Output == "" && len(traces) > 0 {
		return nothingToTake(traces[0])
	}
	if len(foreign) > 0 {
		dir, done, err := o.traceDir()
		if err != nil {
			return err
		}
		defer done()
		report.Foreign, err = convertWith(ctx, foreign, ConvertOptions{Trace: dir, Format: o.Format, Host: o.Host, Limits: o.Limits, Sources: o.Sources,
			Strict: o.Strict, SkipBad: o.SkipBad, Stdin: o.Stdin, Creator: o.Creator, Read: o.Read}, check, objects)
		if err != nil {
			return err
		}
		report.Bad = append(report.Bad, report.Foreign.Bad...)
		if isTrace(dir) {
			traces = append(traces, dir)
		}
	}
	switch {
	case len(report.Bad) == len(paths):
		return noneUsable(report.Bad)
	case o.Output == "":
		return nil
	case len(traces) == 0:
		return fmt.Errorf("no rows in %d inputs", len(paths))
	}
	return windows(ctx, traces, o, report, check)
}

// sort tells traces from what must become one first. A single Parquet file is what
// its metadata says.
func (o *Options) sort(ctx context.Context, paths []string, check *checker, report *Report) (traces, foreign []string, err error) {
	for _, path := range paths {
		switch {
		case o.Format != "" || !isTrace(path):
			foreign = append(foreign, path)
			continue
		case isFolder(path):
			traces = append(traces, path)
			continue
		}
		kind, err := check.check(ctx, path)
		switch {
		case err != nil && (!o.SkipBad || ctx.Err() != nil):
			return nil, nil, err
		case err != nil:
			report.Bad = append(report.Bad, BadTrace{path, err})
		case kind == parquetOther:
			foreign = append(foreign, path)
		default:
			traces = append(traces, path)
		}
	}
	return traces, foreign, nil
}

// nothingToTake says why what needs no taking into a trace is of no use without Output.
func nothingToTake(path string) error {
	if !isFolder(path) {
		if _, err := trace.Open(path); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: is a trace already: there is nothing to take in, and no features to be made of it", path)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func noneUsable(bad []BadTrace) error {
	return fmt.Errorf("none of %d inputs can be used; the first: %w", len(bad), bad[0].Err)
}

// traceDir is where foreign files become a trace, and what is to be done at the
// end: without a place of its own the trace lies beside the output for a while.
func (o *Options) traceDir() (dir string, done func(), err error) {
	if o.Trace != "" {
		return o.Trace, func() {}, nil
	}
	dir, err = os.MkdirTemp(filepath.Dir(o.Output), "."+filepath.Base(o.Output)+".*.tmp")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// isTrace reports whether a path is to be read as a trace: a directory with a
// folder of a table or of journals in it, or a Parquet file that says so.
func isTrace(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if !info.IsDir() {
		return info.Mode().IsRegular() && beginsLikeParquet(path)
	}
	for _, table := range trace.Tables() {
		if info, err := os.Stat(filepath.Join(path, string(table))); err == nil && info.IsDir() {
			return true
		}
	}
	info, err = os.Stat(filepath.Join(path, "journal"))
	return err == nil && info.IsDir()
}

func beginsLikeParquet(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // only read
	magic := make([]byte, 4)
	_, err = io.ReadFull(f, magic)
	return err == nil && string(magic) == "PAR1"
}

// windows makes the FEATURES file of traces.
func windows(ctx context.Context, paths []string, opts Options, report *Report, check *checker) error {
	in, err := open(ctx, paths, opts.SkipBad, check)
	if err != nil {
		return err
	}
	report.Bad = append(report.Bad, in.bad...)
	if len(in.traces) == 0 {
		return noneUsable(report.Bad)
	}
	if err := in.apart(opts.Output); err != nil {
		return err
	}
	if opts.Planned != nil {
		rows := int64(0)
		for i := range in.files {
			rows += in.files[i].Rows
		}
		opts.Planned(rows)
	}
	out, err := feature.CreateFile(opts.Output)
	if err != nil {
		return err
	}
	p, err := in.write(ctx, out, opts)
	if err != nil {
		return errors.Join(err, out.Abort())
	}
	p.BadInputs = len(report.Bad)
	report.Counts, report.Traces, report.Files = p.Counts, len(in.traces), len(in.inputs)
	return out.Close(p)
}

func (o Options) width() int64 { return cmp.Or(o.WidthNS, feature.DefaultWindowerOptions.WidthNS) }
func (o Options) lateness() int64 {
	return max(0, cmp.Or(o.LatenessNS, feature.DefaultWindowerOptions.LatenessNS))
}
