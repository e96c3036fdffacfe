package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"mayfly/detector"
)

// followTraces scores what comes, each time that the traces have grown, until ctx is
// done. A run that fails is told and tried again: a recorder may not have begun yet,
// a disk may be full for a while. So are findings that wait for a receiver sent again
// though nothing has grown.
func followTraces(ctx context.Context, d *detector.Detector, args []string, opts replayOptions, stderr io.Writer) error {
	tick := time.NewTicker(opts.every)
	defer tick.Stop()
	var seen uint64
	for again := true; ; {
		if now := fingerprint(args[1:]); now != seen || again {
			run, err := replayOnce(ctx, d, args, opts, stderr)
			if ctx.Err() != nil {
				return nil
			}
			if again = run.report == nil || run.deliveryErr != nil; run.report == nil {
				fmt.Fprintf(stderr, "mayfly: %s: tried again in %v\n", oneLine(err), opts.every)
			}
			seen = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// fingerprint changes when a sealed file appears below the paths, or goes.
func fingerprint(paths []string) uint64 {
	h := fnv.New64a()
	for _, root := range paths {
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil //nolint:nilerr // what cannot be looked at says so when it is opened
			case entry.IsDir() && path != root && entry.Name() == "journal":
				return fs.SkipDir
			case strings.HasSuffix(entry.Name(), ".parquet"):
				_, _ = io.WriteString(h, path+"\x00")
			}
			return nil
		})
	}
	return h.Sum64()
}
