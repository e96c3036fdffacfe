package main

import "github.com/spf13/cobra"

// commands lists every command, in the order of the way of the data.
func commands() []*cobra.Command {
	return []*cobra.Command{
		newDoctorCommand(),
		newRecordCommand(),
		newInspectCommand(),
		newIngestCommand(),
		newTrainCommand(),
		newExportCommand(),
		newEvaluateCommand(),
		newReplayCommand(),
		newRulesCommand(),
		newDemoCommand(),
		newBenchCommand(),
		newVersionCommand(),
	}
}
