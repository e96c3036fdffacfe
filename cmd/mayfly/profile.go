package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"mayfly/detector"
	"mayfly/profile"
)

const profileLong = `Make, join, compare and show profiles: what the containers of each workload do
(programs and who starts them, arguments, files, peers, ports, privileges, system
calls), each with its evidence, and what they are declared to be.

A workload is an image with its digest, and the deployment that runs it where it is
known: the owner of a Kubernetes pod, the service of Compose. A profile is a JSON
file with a line for each item (profile/FORMAT.md). Wherever one is read, a detector
does as well: it holds the profile that it was trained on.

  mayfly profile build monday/ tuesday/ -o week.json
  mayfly profile merge node1.json node2.json -o all.json
  mayfly profile diff before.json after.json
  mayfly profile show all.json
  mayfly rules --profile all.json -o rules/

`

func newProfileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "Make, join, compare and show what workloads do",
		Long:  profileLong + exitStatuses,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageErrorf("profile: unknown command %q%s", args[0], suggest(cmd, args[0]))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newProfileBuildCommand(), newProfileMergeCommand(), newProfileDiffCommand(), newProfileShowCommand())
	for _, sub := range cmd.Commands() {
		check := sub.Args
		sub.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageErrorf("profile %s: %w (see %s -h)", cmd.Name(), err, cmd.CommandPath())
			}
			return nil
		}
	}
	return cmd
}

// readProfile reads a profile, or that of a detector.
func readProfile(path string) (*profile.Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err == nil && string(head) == "PK\x03\x04" {
		d, err := detector.Load(path)
		if err != nil {
			return nil, err
		}
		if d.Space == nil || d.Space.Profile == nil {
			return nil, fmt.Errorf("%s: no profile in it", path)
		}
		return d.Space.Profile, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p, err := profile.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// writeProfile writes a profile to a file, complete or not at all.
func writeProfile(path string, p *profile.Profile) error {
	return writeOutputs("", []output{{path, p.Encode}})
}

// tellProfile says in a line for each workload what a profile that was written holds.
func tellProfile(w io.Writer, p *profile.Profile) {
	for i := range p.Workloads {
		wl := &p.Workloads[i]
		fmt.Fprintf(w, "mayfly: %s: %d items of %d containers in %.3g container-hours%s\n",
			printable(wl.Name), len(wl.Items), len(wl.Containers), wl.Hours(), shortcomings(wl))
	}
}

// shortcomings says what a workload's profile lacks, to stand at the end of a line.
func shortcomings(w *profile.Workload) string {
	s := ""
	if w.Lost > 0 {
		s += fmt.Sprintf("; %d records LOST", w.Lost)
	}
	if w.GapWindows > 0 {
		s += fmt.Sprintf("; %d windows TOUCH A GAP", w.GapWindows)
	}
	for _, o := range w.Overflow {
		s += fmt.Sprintf("; %d occurrences of kind %s DID NOT FIT", o.Count, o.Kind)
	}
	return s
}
