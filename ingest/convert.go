package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// ConvertOptions say how foreign files become a trace.
type ConvertOptions struct {
	Trace   string            // directory of the trace; it may hold one already
	Format  string            // of every file; "" finds it by content
	Host    string            // for formats that do not name the machine
	Limits  Limits            //
	Strict  bool              // the first bad record, or file that cannot be read, ends the work
	SkipBad bool              // go on without an argument that cannot be used
	Stdin   io.Reader         // what "-" reads
	Creator string            // program and version, written into the files
	Read    func(bytes int64) // is told of bytes that were read of files, before decompression; nil is not
	Sources []Source          // nil: Sources()

	// Objects makes the command whose process is mayfly-object, which reads the URLs of
	// object stores. Nil reads none.
	Objects func(context.Context) (*exec.Cmd, error)

	batchBytes int64        // of input, after which a batch is committed; 0: 256 MiB
	cut        func() error // comes before a plan is carried out, in tests
}

const (
	batchBytes = 256 << 20
	batchFiles = 4096
)

// Conversion says what became of foreign files.
type Conversion struct {
	Taken      int              // files of which something was taken
	Known      int              // files that had been taken before
	Bytes      int64            // read, decompressed
	Rows       int64            // of all tables
	Rejected   int64            // bad records
	Unmapped   map[string]int64 // sound records that no kind of event stands for, by format and what they are
	Notes      []FileReport     // of files with rejected records, with bytes that wait, or with an error; the first 1000
	Bad        []BadTrace       // arguments that could not be used
	Passed     []string         // files in folders and archives that are of no known format, the first 1000
	MorePassed int
	Quarantine []string // files with samples of what was rejected
}

// Partial reports whether something of the input is not in the trace, though it
// was meant to be.
func (c *Conversion) Partial() bool {
	return c.Rejected > 0 || len(c.Bad) > 0 || slices.ContainsFunc(c.Notes, func(f FileReport) bool { return f.Err != nil })
}

const maxNotes = 1000

// Convert takes foreign files into a trace: files, folders, archives, "-", and
// objects by URL. Each
// content is taken once: what the trace has taken before, under whatever name, adds
// nothing, and of a file that has grown only what is new is taken. The work is
// committed batch by batch; whenever it is cut off, doing it again gives the same
// bytes. With an error nothing of the batch at hand is in the trace.
func Convert(ctx context.Context, paths []string, opts ConvertOptions) (*Conversion, error) {
	objects := &objects{begin: opts.Objects}
	defer func() { _ = objects.end() }() // it has said all that counts
	return convertWith(ctx, paths, opts, &checker{}, objects)
}

func convertWith(ctx context.Context, paths []string, opts ConvertOptions, check *checker, objects *objects) (*Conversion, error) {
	opts.Limits = opts.Limits.orDefaults()
	if opts.Sources == nil {
		opts.Sources = Sources()
	}
	c := &converter{ctx: ctx, opts: opts, check: check, objects: objects, report: &Conversion{Unmapped: map[string]int64{}}}
	if opts.Format != "" {
		i := slices.IndexFunc(opts.Sources, func(s Source) bool { return s.Format() == opts.Format })
		if i < 0 {
			return nil, fmt.Errorf("format %q: not known", opts.Format)
		}
		c.forced = opts.Sources[i]
	}
	_, statErr := os.Lstat(opts.Trace)
	if err := os.MkdirAll(opts.Trace, 0o700); err != nil {
		return nil, err
	}
	unlock, err := lockTrace(opts.Trace)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if errors.Is(statErr, fs.ErrNotExist) {
		defer removeUnused(opts.Trace)
	}
	if c.ledger, err = openLedger(opts.Trace); err != nil {
		return nil, err
	}
	if err := recoverTrace(opts.Trace, c.ledger); err != nil {
		return nil, err
	}
	err = c.run(paths)
	if err == nil {
		err = c.commit()
	}
	if err != nil {
		c.abort()
		return nil, err
	}
	return c.report, nil
}

// lockName is the file in a trace by which one ingest keeps out others.
const lockName = ".mayfly-ingest.lock"

// removeUnused removes a trace that was made for what then could not be taken: it has
// nothing but the lock, which is held.
func removeUnused(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != lockName }) {
		return
	}
	_ = os.Remove(filepath.Join(dir, lockName))
	_ = os.Remove(dir) // what is left of it harms nobody
}

// converter is one Convert at work.
type converter struct {
	ctx        context.Context
	opts       ConvertOptions
	check      *checker
	objects    *objects
	forced     Source
	ledger     *ledger
	report     *Conversion
	stage      *stage
	quarantine *quarantine
	files      []takenFile // of the batch
	taken      []takenObject
	bytes      int64 // read of them
	used       int   // files of the argument at hand that are of a known format
	passed     int   // and that are not
	firstBad   error // of the argument at hand
	failures   int
}

func (c *converter) run(paths []string) error {
	for _, path := range paths {
		if err := c.argument(path); err != nil {
			if !c.opts.SkipBad || c.opts.Strict || !isBad(err) {
				return err
			}
			c.report.Bad = append(c.report.Bad, BadTrace{path, err})
		}
	}
	return nil
}

// badArgument is the error of an input, which SkipBad goes on without; others
// are of the trace that is written.
type badArgument struct{ error }

func (e badArgument) Unwrap() error { return e.error }

func isBad(err error) bool {
	var bad badArgument
	return errors.As(err, &bad)
}

// argument takes all that one argument holds.
func (c *converter) argument(path string) error {
	c.used, c.passed, c.firstBad = 0, 0, nil
	u := &unpacker{ctx: c.ctx, limits: c.opts.Limits, spool: c.spool, visit: c.leaf, failed: c.failed, read: c.opts.Read}
	err := c.walk(u, path)
	switch {
	case err != nil:
		return err
	case c.used > 0:
		return nil
	case c.firstBad != nil:
		return badArgument{c.firstBad}
	case c.passed > 1:
		return badArgument{fmt.Errorf("%s: not a trace: none of the %d files in it is of a known format (--format forces one)", path, c.passed)}
	case c.passed == 1:
		return badArgument{fmt.Errorf("%s: not a trace: of no known format (--format forces one)", path)}
	}
	return badArgument{fmt.Errorf("%s: not a trace: no file in it", path)}
}

// failed notes that a file or archive cannot be read, or not to its end.
func (c *converter) failed(name string, err error) error {
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	err = fmt.Errorf("%s: %w", name, withoutPath(err))
	if c.opts.Strict {
		return err
	}
	if c.failures++; c.firstBad == nil {
		c.firstBad = err
	}
	c.note(FileReport{Name: name, Err: err})
	return nil
}

// withoutPath drops the path of an error whose file is named before it.
func withoutPath(err error) error {
	var file *os.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}

func (c *converter) note(f FileReport) {
	if len(c.report.Notes) < maxNotes {
		c.report.Notes = append(c.report.Notes, f)
	}
}

// work is where a batch is made.
func (c *converter) work() string { return filepath.Join(c.opts.Trace, workFolder) }

// spool makes a file on the trace's disk that has no name any more.
func (c *converter) spool() (*os.File, error) {
	if err := os.MkdirAll(c.work(), 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(c.work(), "spool-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// begin makes the stage of a batch.
func (c *converter) begin() error {
	if c.stage != nil {
		return nil
	}
	dir := filepath.Join(c.work(), stageFolder)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	c.stage, c.quarantine = newStage(dir, c.opts.Creator, c.opts.Limits.Hosts), newQuarantine()
	return nil
}

// commit ends a batch, where there is one.
func (c *converter) commit() error {
	if len(c.files) == 0 && len(c.taken) == 0 {
		c.abort()
		return nil
	}
	if err := c.begin(); err != nil { // objects without anything new have no stage
		return err
	}
	if err := c.stage.close(); err != nil {
		return err
	}
	name, err := c.quarantine.write(c.stage.dir, c.ledger.batches+1)
	if err != nil {
		return err
	}
	if name != "" {
		c.report.Quarantine = append(c.report.Quarantine, filepath.Join(c.opts.Trace, name))
	}
	err = commit(c.opts.Trace, c.ledger, c.files, c.taken, c.opts.cut)
	c.stage, c.files, c.taken, c.bytes = nil, nil, nil, 0
	return err
}

// abort throws the batch at hand away.
func (c *converter) abort() {
	if c.stage != nil {
		c.stage.abort()
	}
	c.stage, c.files, c.taken = nil, nil, nil
	if _, err := os.Lstat(filepath.Join(c.work(), planName)); err != nil {
		_ = os.RemoveAll(c.work()) // the next run does it, too
	}
}
