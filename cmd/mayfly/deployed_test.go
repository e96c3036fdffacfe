package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mayfly/record/runtimes"
)

// TestDeployedCommandLines parses the command lines of units and manifests: a flag
// that mayfly does not have would be found at night.
func TestDeployedCommandLines(t *testing.T) {
	lines := map[string][]string{}
	units, _ := filepath.Glob("../../deploy/systemd/*.service")
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		joined := strings.ReplaceAll(string(text), "\\\n", " ")
		found := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/mayfly (.*)$`).FindStringSubmatch(joined)
		if found == nil {
			t.Fatalf("%s: no ExecStart", unit)
		}
		lines[unit] = strings.Fields(found[1])
	}
	manifests, _ := filepath.Glob("../../deploy/kubernetes/*/*.yaml")
	for _, manifest := range manifests {
		text, err := os.ReadFile(manifest)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatalf("%s: %v", manifest, err)
		}
		collectArgs(doc, func(name string, args []string) { lines[manifest+" "+name] = args })
	}
	if len(lines) < 6 {
		t.Fatalf("command lines %q", lines)
	}
	for where, args := range lines {
		root := newRootCommand()
		cmd, rest, err := root.Find(args)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil && cmd.Args != nil {
			err = cmd.Args(cmd, cmd.Flags().Args())
		}
		if err != nil || cmd == root {
			t.Errorf("%s: %q: %v", where, args, err)
		}
	}
}

// collectArgs finds the args of containers in a manifest.
func collectArgs(node any, found func(name string, args []string)) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			collectArgs(child, found)
		}
	case map[string]any:
		if list, ok := node["args"].([]any); ok {
			name, _ := node["name"].(string)
			args := make([]string, len(list))
			for i, arg := range list {
				args[i], _ = arg.(string)
			}
			found(name, args)
		}
		for _, child := range node {
			collectArgs(child, found)
		}
	}
}

// TestDeployedSockets wants each place at which a manifest gives the recorder a runtime's
// socket to be one where it looks for it. The image is empty: no link leads there.
func TestDeployedSockets(t *testing.T) {
	found := 0
	manifests, _ := filepath.Glob("../../deploy/kubernetes/*/*.yaml")
	for _, manifest := range manifests {
		text, err := os.ReadFile(manifest)
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range regexp.MustCompile(`mountPath(?:, value)?: ((?:/var)?/run/[^,}\s]+)`).FindAllStringSubmatch(string(text), -1) {
			found++
			if !slices.ContainsFunc(runtimes.DefaultSources(), func(s runtimes.Source) bool {
				return strings.HasPrefix(s.Address+"/", "unix://"+place[1]+"/")
			}) {
				t.Errorf("%s: %s: no socket of a runtime is looked for there", manifest, place[1])
			}
		}
	}
	if found != 3 {
		t.Errorf("got %d places, want those of containerd, Docker and CRI-O", found)
	}
}
