package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mayfly/cmd/flags"
	"mayfly/ingest"
	"mayfly/rule"
	"mayfly/shard"
)

const ingestLong = `Take recordings in: traces of mayfly record, and what other programs have recorded.

With -o, the rows are dealt out to windows of features: one window per container
and width of time in which the container did anything. The FEATURES file holds
observations only (counts, system calls, trigrams, items seen); what is learned
of them is learned by train, so that a file is made once and used for any split.
With --trace, what other programs recorded becomes a trace in a directory, which
every other command reads.

An INPUT is a trace (a directory that mayfly record wrote, or one Parquet file of
it), or a file, folder or archive of another format, found by its content, - for
standard input, or any of these in an object store: s3://BUCKET/KEY, gs://,
azblob://, and file:///PATH. A KEY is an object, a folder of them, or with a * at its
end what keys begin with. Compressed files and archives (gzip, zstd, xz, zip, tar) are opened
on the way. Formats: FORMATS.

Object stores are read by a program of its own, mayfly-object, beside mayfly or on
PATH; it looks for credentials where the stores' own tools do. In a clone of mayfly:

  cd object && go build -o "$(dirname "$(command -v mayfly)")" ./mayfly-object

Each content is taken into a trace once: the same file again, or under another
name, adds nothing, and of a file that has grown only what is new is taken. What
is done is done by batch: whatever ends the command, doing it again ends with the
same bytes. A record that is bad is counted, and kept with its place and the reason
in the trace's folder quarantine; --strict ends with it. An input that cannot be
read ends the command and leaves no output; with --skip-bad it is left out.

With --shard I/N the command makes the windows of every Nth host of traces only, in a
folder that all N share; mayfly merge makes one file of them.

  mayfly ingest trace/ -o features.parquet
  mayfly ingest monday/ tuesday/ -o week.parquet --width 1s --skip-bad
  mayfly ingest /var/log/tetragon --trace cluster/
  mayfly ingest s3://logs/falco/2026/ --trace cluster/
  mayfly ingest fleet/ -o sixteen/ --shard 3/16
  kubectl logs -n kube-system ds/tetragon -c export-stdout | mayfly ingest - --trace cluster/ -o features.parquet

`

type ingestOptions struct {
	ingest.Options
	made    flags.Windows
	mapFile string
	trusted bool
	shard   string
}

func newIngestCommand() *cobra.Command {
	var opts ingestOptions
	cmd := &cobra.Command{
		Use:   "ingest INPUT... [-o FEATURES] [--trace DIR]",
		Short: "Take in traces and foreign recordings; make windows of features",
		Long:  strings.Replace(ingestLong, "FORMATS", strings.Join(formats(), ", "), 1) + exitStatuses,
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runIngest(cmd, opts, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.Output, "output", "o", "", "FEATURES file to write (Parquet)")
	opts.made.Add(flags)
	flags.BoolVar(&opts.SkipBad, "skip-bad", false, "leave out inputs that cannot be read (exit status 3)")
	flags.StringVar(&opts.Trace, "trace", "", "directory to take foreign recordings into, as a trace")
	flags.StringVar(&opts.Format, "format", "", "read all inputs as files of this format")
	flags.StringVar(&opts.mapFile, "map", "", "read all inputs as tables, by a file that says which of their columns is which of a trace's (ingest/SOURCES.md)")
	flags.StringVar(&opts.Host, "host", "", "name of the machine, where a format does not tell it")
	flags.BoolVar(&opts.trusted, "trusted", false, "read Parquet at once, rather than in a process with limits first")
	flags.BoolVar(&opts.Strict, "strict", false, "end with the first bad record or unreadable file")
	addShard(flags, &opts.shard)
	addLimits(flags, &opts.Limits)
	return cmd
}

// objectCommand is the program that reads object stores.
func objectCommand(ctx context.Context) (*exec.Cmd, error) {
	const name = "mayfly-object"
	program, err := findProgram(name)
	if err != nil {
		return nil, fmt.Errorf("%w; in a clone of mayfly: cd object && go build -o DIR ./%s (see mayfly ingest -h)", err, name)
	}
	return exec.CommandContext(ctx, program), nil
}

// formats lists the foreign formats.
func formats() []string {
	var all []string
	for _, src := range ingest.Sources() {
		all = append(all, src.Format())
	}
	slices.Sort(all)
	return all
}

// addLimits adds a flag for each bound of foreign files.
func addLimits(flags *pflag.FlagSet, l *ingest.Limits) {
	*l = ingest.DefaultLimits()
	size := func(p *int64, name, usage string) { flags.Var((*byteSize)(p), name, usage) }
	size(&l.LineBytes, "max-line", "bytes of one line or record of a foreign file")
	size(&l.StringBytes, "max-string", "bytes of one text")
	flags.Int64Var(&l.ListLength, "max-list", l.ListLength, "elements of one list, such as arguments")
	flags.IntVar(&l.Nesting, "max-nesting", l.Nesting, "objects and arrays inside each other")
	flags.IntVar(&l.Columns, "max-columns", l.Columns, "columns of a table")
	flags.Int64Var(&l.Records, "max-records", l.Records, "records of one file")
	flags.IntVar(&l.Hosts, "max-hosts", l.Hosts, "different hosts")
	flags.Int64Var(&l.Ratio, "max-ratio", l.Ratio, "decompressed over compressed size, beyond the first 64 MiB")
	size(&l.Bytes, "max-bytes", "bytes of one input, decompressed")
	flags.Int64Var(&l.Members, "max-members", l.Members, "members of the archives of one input")
	flags.IntVar(&l.Depth, "max-depth", l.Depth, "archives and compressions inside each other")
	size(&l.Window, "max-window", "memory of one decompressor")
	size(&l.PageBytes, "max-page", "bytes of one Parquet page, decompressed")
	flags.Int64Var(&l.GroupRows, "max-group-rows", l.GroupRows, "rows of one Parquet row group")
	size(&l.Memory, "max-memory", "memory of the process that reads untrusted Parquet")
	flags.Int64Var(&l.CPUSeconds, "max-cpu", l.CPUSeconds, "processor seconds of that process, for one file")
}

// leastMemory is what the process that reads untrusted Parquet takes for any file.
const leastMemory = 128 << 20

// checkLimits refuses limits by which every file would be damaged; 0 means no default.
func checkLimits(command string, flags *pflag.FlagSet, l *ingest.Limits) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if got := f.Value.String(); strings.HasPrefix(f.Name, "max-") && (got == "0" || strings.HasPrefix(got, "-")) {
			err = usageErrorf("%s: --%s: want more than 0, got %s", command, f.Name, got)
		}
	})
	if err == nil && l.Memory < leastMemory {
		err = usageErrorf("%s: --max-memory: want at least 128MiB, got %v", command, (*byteSize)(&l.Memory))
	}
	return err
}

func runIngest(cmd *cobra.Command, opts ingestOptions, args []string) error {
	switch {
	case opts.Output == "" && opts.Trace == "":
		return usageErrorf("ingest: no output: name a FEATURES file with -o, or a trace directory with --trace (see mayfly ingest -h)")
	case opts.Format != "" && !slices.Contains(formats(), opts.Format):
		return usageErrorf("ingest: --format: got %q, want one of %s", opts.Format, strings.Join(formats(), ", "))
	}
	if err := checkLimits("ingest", cmd.Flags(), &opts.Limits); err != nil {
		return err
	}
	if err := opts.made.Set(&opts.Options); err != nil {
		return statusError{statusUsage, err}
	}
	if opts.mapFile != "" {
		if opts.Format != "" {
			return usageErrorf("ingest: --map and --format: give one of them")
		}
		table, err := ingest.LoadMap(opts.mapFile)
		if err != nil {
			return err
		}
		opts.Sources, opts.Format = []ingest.Source{table}, table.Format()
	}
	var part shard.Spec
	if opts.shard != "" {
		var err error
		if part, err = parseShard("ingest", opts.shard, opts.Output, cmd.Flags(), "trace", "skip-bad", "format", "map", "host", "strict"); err != nil {
			return err
		}
	} else if opts.Output != "" {
		if err := checkOutput(opts.Output, args...); err != nil {
			return err
		}
	}
	boundIngestMemory()
	opts.Creator, opts.Stdin = "mayfly ingest "+version(), cmd.InOrStdin()
	if opts.shard != "" {
		if !opts.trusted {
			opts.Checker = checkerCommand
		}
		return runIngestShard(cmd, args, part, opts)
	}
	if !opts.trusted {
		opts.Checker = checkerCommand
	}
	opts.Objects = objectCommand
	ctx, read, planned, done := withInputProgress(cmd.Context(), cmd.ErrOrStderr(), "ingest", inputBytes(args))
	opts.Read, opts.Planned = read, planned
	report, err := ingest.Run(ctx, args, opts.Options)
	done()
	if err != nil {
		return err
	}
	printIngest(cmd.ErrOrStderr(), report, opts.Options)
	if len(report.Bad) > 0 || report.Foreign != nil && report.Foreign.Partial() {
		return statusError{statusPartial, nil}
	}
	return nil
}

// runIngestShard does one part of the work.
func runIngestShard(cmd *cobra.Command, args []string, part shard.Spec, opts ingestOptions) error {
	ctx, done := withProgress(cmd.Context(), cmd.ErrOrStderr(), "ingest", 0, 1)
	report, err := ingest.RunShard(ctx, args, part, opts.Output, opts.Options)
	done()
	if err != nil {
		return err
	}
	opts.Output = filepath.Join(opts.Output, part.Name())
	printIngest(cmd.ErrOrStderr(), report, opts.Options)
	return nil
}

// printIngest says on stderr what became of the inputs.
func printIngest(w io.Writer, r *ingest.Report, opts ingest.Options) {
	for _, bad := range r.Bad {
		fmt.Fprintf(w, "mayfly: left out: %s\n", oneLine(bad.Err))
	}
	if r.Foreign != nil {
		printConversion(w, r.Foreign, opts.Trace)
	}
	if opts.Output == "" {
		return
	}
	fmt.Fprintf(w, "mayfly: %s: %d windows of %d containers from %d rows in %d files\n",
		opts.Output, r.Windows, r.Containers, r.Rows, r.Files)
	if r.HostRows > 0 {
		fmt.Fprintf(w, "mayfly: %d rows of the host left out (--host-too takes them)\n", r.HostRows)
	}
	for _, loss := range []struct {
		n    int64
		what string
	}{
		{r.LateRows, "rows came late (--lateness) and are missing in part"},
		{r.BadTimes, "rows have a time that cannot be"},
		{r.FullRows, "rows found no room among the open windows"},
		{r.Lost, "records were lost by the recorder; their windows say so (n_lost)"},
		{r.GapWindows, "windows touch a gap of the recording, as they say (missing)"},
	} {
		if loss.n > 0 {
			fmt.Fprintf(w, "mayfly: warning: %d %s\n", loss.n, loss.what)
		}
	}
}

// printConversion says what became of foreign files.
func printConversion(w io.Writer, c *ingest.Conversion, dir string) {
	into := ""
	if dir != "" {
		into = dir + ": "
	}
	known := ""
	if c.Known > 0 {
		known = fmt.Sprintf(", %d were taken before", c.Known)
	}
	fmt.Fprintf(w, "mayfly: %stook %d rows from %d files%s\n", into, c.Rows, c.Taken, known)
	for _, f := range c.Notes {
		switch {
		case f.Err != nil:
			fmt.Fprintf(w, "mayfly: not read to its end: %s\n", oneLine(f.Err))
		case f.Rejected > 0:
			fmt.Fprintf(w, "mayfly: %s: %d bad records left out\n", rule.Printable(f.Name), f.Rejected)
		}
		if f.Err == nil && f.Waiting > 0 {
			fmt.Fprintf(w, "mayfly: %s: %d bytes at its end are no complete record yet\n", rule.Printable(f.Name), f.Waiting)
		}
	}
	for _, q := range c.Quarantine {
		if dir != "" {
			fmt.Fprintf(w, "mayfly: %s: samples of what was left out, where and why\n", q)
		}
	}
	for i, what := range slices.Sorted(maps.Keys(c.Unmapped)) {
		if i == 20 {
			fmt.Fprintf(w, "mayfly: no kind of event: %d more kinds of records\n", len(c.Unmapped)-i)
			break
		}
		fmt.Fprintf(w, "mayfly: no kind of event: %d records: %s\n", c.Unmapped[what], rule.Printable(what))
	}
	for i, name := range c.Passed {
		if i == 3 {
			fmt.Fprintf(w, "mayfly: passed over, of no known format: %d more files\n", len(c.Passed)-i+c.MorePassed)
			break
		}
		fmt.Fprintf(w, "mayfly: passed over, of no known format: %s\n", rule.Printable(name))
	}
}
