package main

import (
	"fmt"

	"mayfly/ingest"
	"mayfly/replay"
	"mayfly/shard"
	"mayfly/sink"
	"mayfly/train"

	"github.com/spf13/cobra"
)

const mergeLong = `Merge joins the shards of an ingest, a train or a replay into what the command
without --shard writes, to the byte. It refuses unless each shard is there once, all
were made by this version with the same options from the same inputs, and every file
is what its shard says that it wrote. A shard may be done again at any time; it is
done when DIR/shard-I-of-N.json is there.

Shards of ingest and replay part traces by host. Shards of train go through the
features and choose which containers to learn from; merge then learns, here.

  mayfly ingest fleet/ -o parts/ --shard 0/2
  mayfly ingest fleet/ -o parts/ --shard 1/2
  mayfly merge parts/ -o fleet.parquet
  mayfly merge scored/ -o all.jsonl

` + exitStatuses

type mergeOptions struct {
	out     string
	format  string
	threads int
}

func newMergeCommand() *cobra.Command {
	opts := mergeOptions{}
	cmd := &cobra.Command{
		Use:   "merge DIR -o FILE",
		Short: "Join the shards of ingest, train or replay",
		Long:  mergeLong,
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runMerge(cmd, args[0], opts) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&opts.out, "output", "o", "", "`file` to write: features, a detector or findings (required)")
	flags.StringVar(&opts.format, "format", sink.NDJSON, "`form` of findings: ndjson, table, ocsf or sarif")
	flags.IntVar(&opts.threads, "threads", 0, "threads to learn with; 0: one per processor; no influence on the result")
	_ = cmd.MarkFlagRequired("output")
	return cmd
}

func runMerge(cmd *cobra.Command, dir string, opts mergeOptions) error {
	if err := checkThreadCount("merge", opts.threads); err != nil {
		return err
	}
	if _, err := sink.NewEncoder(opts.format, ""); err != nil {
		return usageErrorf("merge: --format: %w", err)
	}
	members, err := shard.Open(dir)
	if err != nil {
		return err
	}
	inputs := []string{}
	for i := range members {
		for k := range members[i].Outputs {
			inputs = append(inputs, members[i].Path(dir, k))
		}
	}
	if err := checkOutput(opts.out, inputs...); err != nil {
		return err
	}
	if cmd.Flags().Changed("format") && members[0].Stage != replay.Stage {
		return usageErrorf("merge: --format: %s holds shards of %s, which have one form", dir, members[0].Stage)
	}
	ctx, w := cmd.Context(), cmd.ErrOrStderr()
	switch members[0].Stage {
	case ingest.Stage:
		ctx, done := withProgress(ctx, w, "merge", featureRows(inputs), 1)
		report, err := ingest.MergeShards(ctx, dir, members, opts.out)
		done()
		if err != nil {
			return err
		}
		printIngest(w, report, ingest.Options{Output: opts.out})
		return nil
	case train.Stage:
		boundTrainMemory()
		ctx, planned, done := withPlannedProgress(ctx, w, "merge")
		trained, err := train.FitShards(ctx, dir, members, opts.threads, func(windows int64) {
			if planned != nil {
				planned(trainPasses * windows)
			}
		})
		done()
		if err != nil {
			return err
		}
		if err := trained.Save(opts.out); err != nil {
			return err
		}
		printTrained(cmd, opts.out, &trained.Manifest)
		return nil
	case replay.Stage:
		report, err := replay.MergeShards(ctx, dir, members, replay.Options{OutputPath: opts.out, Format: opts.format, Creator: version()})
		if err != nil {
			return err
		}
		printReplay(w, report, report.Rejected)
		if len(report.Rejected) > 0 {
			return statusError{statusPartial, nil}
		}
		return nil
	}
	return fmt.Errorf("%s: shards of %.40q: want ingest, train or replay", dir, members[0].Stage)
}
