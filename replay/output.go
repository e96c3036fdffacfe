package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"mayfly/detector"
	"mayfly/sink"
	"mayfly/trace"
)

// output is where the findings of a run go, in their order: the form asked for, the
// plans, and the page. Until commit nothing of it is in its place.
type output struct {
	lines     spool
	responses responses
	page      *Page // nil: none is asked for
}

func newOutput(d *detector.Detector, traces []*trace.Trace, opts Options) (*output, error) {
	encoder, err := sink.NewEncoder(opts.Format, opts.Creator)
	if err != nil {
		return nil, err
	}
	return &output{lines: spool{encoder: encoder}, responses: responses{dir: opts.PlanDir, d: d, traces: slices.Clone(traces)}}, nil
}

func (o *output) add(ctx context.Context, f *Found) error {
	if err := o.lines.add(f.Finding); err != nil {
		return err
	}
	if err := o.responses.add(ctx, f.Finding); err != nil {
		return err
	}
	if o.page != nil {
		o.page.found(f.Finding)
	}
	return nil
}

// ready puts the plans in their place; the findings may follow.
func (o *output) ready() error {
	if err := o.lines.end(); err != nil {
		return errors.Join(err, o.responses.discard())
	}
	return o.responses.commit()
}

// commit puts everything in its place, for a run without a state.
func (o *output) commit(opts Options) error {
	if err := o.ready(); err != nil {
		return err
	}
	if opts.OutputPath != "" {
		return o.lines.replace(opts.OutputPath)
	}
	return o.print(opts.Output)
}

func (o *output) print(to io.Writer) error {
	if to == nil {
		return nil
	}
	if err := o.lines.copy(to); err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	return nil
}
