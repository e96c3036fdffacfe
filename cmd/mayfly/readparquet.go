package main

import (
	"context"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"mayfly/ingest"
)

// newReadParquetCommand is the process that ingest starts to read untrusted
// Parquet; nobody types it.
func newReadParquetCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "read-parquet",
		Short:  "Read the Parquet files that are named on standard input, for ingest",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ingest.ServeChecks(cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// checkerCommand starts this program again as read-parquet.
func checkerCommand(ctx context.Context) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.CommandContext(ctx, self, "read-parquet")
	cmd.Args[0] = os.Args[0]
	return cmd
}
