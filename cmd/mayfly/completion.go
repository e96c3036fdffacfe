package main

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mayfly/detector"
	"mayfly/forest"
	"mayfly/record/runtimes"
	"mayfly/rule"
	"mayfly/sink"
)

// flagWords are, by command and flag, the words that a flag takes.
func flagWords() map[string][]string {
	engines := []string{detector.Isolation, detector.Random, detector.Golearn}
	words := map[string][]string{
		"replay format":     sink.Formats(),
		"merge format":      sink.Formats(),
		"train engine":      engines,
		"evaluate engine":   engines,
		"evaluate protocol": {"docker-cve", "adfa-ld", "holdout", "leave-one-attack-out"},
		"ingest format":     formats(),
		"train split":       {"none", "time", "container"},
		"train export":      {"onnx"},
		"export format":     {"onnx"},
		"rules target":      rule.Targets(),
		"bench path":        forest.Paths(),
		"record log":        {"auto", "text", "json"},
		"query output":      {"table", "json", "csv"},
	}
	for _, flag := range []string{"inspect output", "datasets list output", "evaluate format", "profile diff format", "profile show format",
		"rules format", "rules test format", "config show format", "bench format"} {
		words[flag] = []string{"table", "json"}
	}
	for _, flag := range []string{"doctor format", "explain format", "datasets info output"} {
		words[flag] = []string{"text", "json"}
	}
	return words
}

// addCompletions tells a shell what flags can be: words that a command knows, and
// what is there on this machine now.
func addCompletions(root *cobra.Command) {
	words := flagWords()
	visitCommands(root, func(cmd *cobra.Command) {
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if values, ok := words[path+" "+f.Name]; ok {
				_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails where it is there already
			}
		})
		if path == "record" {
			_ = cmd.RegisterFlagCompletionFunc("select", completeContainers) // likewise
		}
	})
}

// completeContainers offers name=NAME of the containers that run here.
func completeContainers(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	address := cmp.Or(os.Getenv("DOCKER_HOST"), "unix:///var/run/docker.sock")
	source, err := runtimes.ParseSource(runtimes.Docker + "=" + address)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, _ := runtimes.Names(ctx, source) // a shell shows what there is
	for i := range names {
		names[i] = "name=" + names[i]
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}
