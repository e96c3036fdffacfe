package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mayfly/profile"
)

const profileMergeLong = `Join profiles of replicas, hosts and days into one. Their order does not matter, nor
does it matter whether they are joined at once or in steps: the bytes are the same.
A recording that two of them were made of is refused, for it would count twice.

  mayfly profile merge node1.json node2.json node3.json -o cluster.json

`

func newProfileMergeCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "merge PROFILE... -o PROFILE",
		Short: "Join profiles of replicas, hosts and days",
		Long:  profileMergeLong + exitStatuses,
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return runProfileMerge(cmd, path, args) },
	}
	cmd.Flags().StringVarP(&path, "output", "o", "", "profile to write (JSON)")
	return cmd
}

func runProfileMerge(cmd *cobra.Command, path string, args []string) error {
	if path == "" {
		return usageErrorf("profile merge: no output: name a file with -o (see mayfly profile merge -h)")
	}
	if err := checkOutput(path, args...); err != nil {
		return err
	}
	all := make([]*profile.Profile, len(args))
	for i, name := range args {
		var err error
		if all[i], err = readProfile(name); err != nil {
			return err
		}
	}
	p, err := profile.Merge(all...)
	if err != nil {
		return fmt.Errorf("profile merge: %w", err)
	}
	if err := writeProfile(path, p); err != nil {
		return err
	}
	tellProfile(cmd.ErrOrStderr(), p)
	return nil
}
