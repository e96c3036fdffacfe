package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

const manLong = `Write the manual pages of mayfly and of each command, in the format of man(1).

  mayfly man man1/
  man -l man1/mayfly-replay.1

` + exitStatuses

func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write manual pages",
		Long:  manLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runMan(cmd.Root(), args[0], cmd.ErrOrStderr())
		},
	}
}

func runMan(root *cobra.Command, dir string, stderr io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true
	// A fixed date: the same version gives the same pages.
	date := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	header := &doc.GenManHeader{Section: "1", Source: "mayfly " + version(), Manual: "mayfly", Date: &date}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("manual pages: %w", err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "mayfly*.1"))
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "mayfly: %d pages in %s\n", len(pages), dir)
	return nil
}
