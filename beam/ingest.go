package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/spf13/cobra"

	"mayfly/cmd/flags"
	"mayfly/feature"
	"mayfly/ingest"
)

func init() {
	register.DoFn2x3[context.Context, []byte, int, []byte, error](&ingestPart{})
	register.DoFn3x1[context.Context, int, func(*[]byte) bool, error](&ingestFinish{})
	register.Iter1[[]byte]()
}

// ingestPart makes the windows of a unit.
type ingestPart struct {
	Folder              string
	WidthNS, LatenessNS int64
	HostToo             bool
	Creator             string
}

// ingestState is what a unit became: its windows lie in a part.
type ingestState struct {
	Part       string              `json:"part"`
	Rows       []int64             `json:"rows"` // for each trace
	Provenance *feature.Provenance `json:"provenance"`
}

// ProcessElement is called by Beam.
func (f *ingestPart) ProcessElement(ctx context.Context, in []byte) (int, []byte, error) {
	out, err := step(ctx, f.Folder, in, f.make)
	return 0, out, err
}

func (f *ingestPart) make(ctx context.Context, u *unit) (*ingestState, error) {
	state := &ingestState{}
	var err error
	if state.Part, err = part(f.Folder, u.Host, ".parquet"); err != nil {
		return nil, err
	}
	opts := ingest.Options{WidthNS: f.WidthNS, LatenessNS: f.LatenessNS, HostToo: f.HostToo, Creator: f.Creator}
	return state, u.withTraces(ctx, false, func(in hostTraces) error {
		state.Rows = in.rows
		return withOutput(ctx, state.Part, func(path string) error {
			state.Provenance, err = ingest.WritePart(ctx, in.traces, path, opts)
			return err
		})
	})
}

// ingestFinish makes the FEATURES file.
type ingestFinish struct {
	Folder, Result, Output string
	Traces                 []string
}

// ingestResult is what the command tells of.
type ingestResult struct {
	Counts feature.Counts `json:"counts"`
	Files  int            `json:"files"`
}

// ProcessElement is called by Beam.
func (f *ingestFinish) ProcessElement(ctx context.Context, _ int, states func(*[]byte) bool) error {
	all, err := gather[ingestState](states)
	if err != nil {
		return err
	}
	_, err = tell(ctx, f.Folder, func() (any, error) { return nil, f.finish(ctx, all) })
	return err
}

func (f *ingestFinish) finish(ctx context.Context, all []ingestState) error {
	rows := make([]int64, len(f.Traces))
	var parts []string
	var made []*feature.Provenance
	for _, s := range all {
		for i, n := range s.Rows {
			rows[i] += n
		}
		if len(s.Provenance.Inputs) > 0 {
			parts, made = append(parts, s.Part), append(made, s.Provenance)
		}
	}
	for i, n := range rows {
		if n == 0 {
			return fmt.Errorf("%s: empty trace: no events and no sequences", f.Traces[i])
		}
	}
	p, err := mergeAll(made, func(a, b *feature.Provenance) (*feature.Provenance, error) { return a, a.Merge(b) })
	if err != nil {
		return err
	}
	seen := map[string]*feature.InputFile{}
	for i := range p.Inputs {
		in := &p.Inputs[i]
		if other := seen[in.SHA256]; other != nil && in.Rows > 0 {
			return fmt.Errorf("%s: holds the same rows as %s, which is given too", in.Rel, other.Rel)
		}
		seen[in.SHA256] = in
	}
	err = withScratch(func(dir string) error {
		return withInputs(ctx, parts, func(paths []string) error {
			return withOutput(ctx, f.Output, func(path string) error {
				out, err := feature.CreateFile(path)
				if err != nil {
					return err
				}
				if err := feature.MergeFiles(ctx, paths, dir, out.Append); err != nil {
					return errors.Join(err, out.Abort())
				}
				return out.Close(p)
			})
		})
	})
	if err != nil {
		return err
	}
	return writeJSON(ctx, f.Result, ingestResult{p.Counts, len(p.Inputs)})
}

// mergeAll merges neighbours first, so that none is merged more often than the
// logarithm of their number.
func mergeAll[T any](all []T, merge func(a, b T) (T, error)) (T, error) {
	for len(all) > 1 {
		var next []T
		for pair := range slices.Chunk(all, 2) {
			if len(pair) == 2 {
				var err error
				if pair[0], err = merge(pair[0], pair[1]); err != nil {
					return pair[0], err
				}
			}
			next = append(next, pair[0])
		}
		all = next
	}
	return all[0], nil
}

func newIngestCommand() *cobra.Command {
	var made flags.Windows
	output := ""
	cmd := &cobra.Command{
		Use:   "ingest TRACE... -o FEATURES",
		Short: "Make windows of features, as mayfly ingest does",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runIngest(cmd, made, output, args) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "FEATURES file to write (Parquet)")
	made.Add(cmd.Flags())
	_ = cmd.MarkFlagRequired("output")
	return cmd
}

func runIngest(cmd *cobra.Command, made flags.Windows, output string, args []string) (err error) {
	var opts ingest.Options
	if err := made.Set(&opts); err != nil {
		return statusError{statusUsage, err}
	}
	ctx := cmd.Context()
	places, err := placesOf(args)
	if err != nil {
		return err
	}
	if err := checkOutput(output, places); err != nil {
		return err
	}
	finish := ingestFinish{Traces: places}
	if finish.Output, err = absolute(output); err != nil {
		return err
	}
	work, err := units(ctx, places)
	if err != nil {
		return err
	}
	j, err := newJob(finish.Output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close(ctx)) }()
	part := ingestPart{Folder: j.folder, WidthNS: opts.WidthNS, LatenessNS: opts.LatenessNS, HostToo: opts.HostToo, Creator: "mayfly ingest " + version()}
	finish.Folder, finish.Result = j.folder, j.result
	p, s := newPipeline()
	units, err := elements(s, work)
	if err != nil {
		return err
	}
	beam.ParDo0(s, &finish, beam.GroupByKey(s, beam.ParDo(s, &part, units)))
	var r ingestResult
	if err := j.run(ctx, "ingest", p, cmd.ErrOrStderr(), &r); err != nil {
		return err
	}
	cmd.PrintErrf("mayfly-beam: %s: %d windows of %d containers from %d rows in %d files of %d hosts\n",
		output, r.Counts.Windows, r.Counts.Containers, r.Counts.Rows, r.Files, len(work))
	return nil
}

// placesOf are inputs as every process understands them.
func placesOf(args []string) (places []string, err error) {
	for _, arg := range args {
		place, err := absolute(arg)
		if err != nil {
			return nil, err
		}
		places = append(places, place)
	}
	return places, nil
}
