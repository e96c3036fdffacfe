package main

import (
	"github.com/spf13/cobra"

	"mayfly/cmd/flags"
)

// commands lists every command, in the order of the way of the data.
func commands() []*cobra.Command {
	return []*cobra.Command{
		newDoctorCommand(),
		newRecordCommand(),
		newInspectCommand(),
		newQueryCommand(),
		newDatasetsCommand(),
		newIngestCommand(),
		newTrainCommand(),
		newExportCommand(),
		newEvaluateCommand(),
		newReplayCommand(),
		newMergeCommand(),
		newExplainCommand(),
		newProfileCommand(),
		newRulesCommand(),
		newRedactCommand(),
		newDemoCommand(),
		newDemoShopCommand(),
		newDemoAttackCommand(),
		newBenchCommand(),
		newReadParquetCommand(),
		newConfigCommand(),
		newManCommand(),
		newVersionCommand(),
	}
}

// checkThreadCount refuses a number of threads that cannot be meant; 0 is one per processor.
func checkThreadCount(command string, threads int) error {
	if err := flags.Threads(command, threads); err != nil {
		return statusError{statusUsage, err}
	}
	return nil
}
