package main

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mayfly/detector"
	"mayfly/record/runtimes"
	"mayfly/rule"
	"mayfly/sink"
)

// addCompletions tells a shell what flags can be: words that a command knows, and
// what is there on this machine now. A flag that a command does not have is passed
// over, so that the list stays true when one goes.
func addCompletions(root *cobra.Command) {
	engines := []string{detector.Isolation, detector.Random, detector.Golearn}
	words := map[string][]string{
		"replay format":     sink.Formats(),
		"merge format":      sink.Formats(),
		"train engine":      engines,
		"evaluate engine":   engines,
		"evaluate protocol": {"docker-cve", "adfa-ld", "holdout", "leave-one-attack-out"},
		"train split":       {"none", "time", "container"},
		"train export":      {"onnx"},
		"rules target":      rule.Targets(),
		"rules format":      {"table", "json"},
		"doctor format":     {"text", "json"},
		"inspect format":    {"text", "json"},
		"explain format":    {"text", "json"},
	}
	visitCommands(root, func(cmd *cobra.Command) {
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		for key, values := range words {
			if name, flag, _ := strings.Cut(key, " "); name == path && cmd.Flags().Lookup(flag) != nil {
				_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails where it is there already
			}
		}
		if path == "record" && cmd.Flags().Lookup("select") != nil {
			_ = cmd.RegisterFlagCompletionFunc("select", completeContainers)
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
