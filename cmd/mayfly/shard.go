package main

import (
	"fmt"
	"os"

	"mayfly/shard"

	"github.com/spf13/pflag"
)

// addShard adds the flag that parts a command into several.
func addShard(flags *pflag.FlagSet, to *string) {
	flags.StringVar(to, "shard", "", "do `I/N` of the work, I from 0, into the folder that -o names; mayfly merge joins all N")
}

// parseShard reads --shard, and refuses the flags that make no sense with it. out is
// the folder.
func parseShard(command, text, out string, flags *pflag.FlagSet, without ...string) (shard.Spec, error) {
	spec, err := shard.Parse(text)
	if err != nil {
		return spec, usageErrorf("%s: --%w", command, err)
	}
	if out == "" {
		return spec, usageErrorf("%s: --shard wants a folder for all shards: name it with -o", command)
	}
	for _, name := range without {
		if flags.Changed(name) {
			return spec, usageErrorf("%s: --%s: not with --shard", command, name)
		}
	}
	if info, err := os.Stat(out); err == nil && !info.IsDir() {
		return spec, fmt.Errorf("%s: is a file, want a folder for the shards", out)
	}
	return spec, nil
}
