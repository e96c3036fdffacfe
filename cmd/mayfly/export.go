package main

import (
	"fmt"
	"io"

	"mayfly/detector"

	"github.com/spf13/cobra"
)

const exportLong = `Export writes a detector's forest in a form that other programs run: ONNX-ML, a
TreeEnsemble with the score's formula in operators. Its input are the features, as
float32 columns named in the metadata, NaN where one is missing; its output is the
score. The detector stays what mayfly reads; how windows become features is not in
the model.

  mayfly export web.mayfly -o web.onnx

` + exitStatuses

func newExportCommand() *cobra.Command {
	var out, format string
	cmd := &cobra.Command{
		Use:   "export DETECTOR -o MODEL",
		Short: "Write a detector's forest for other runtimes",
		Long:  exportLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkExport(format); err != nil {
				return usageErrorf("export: %w", err)
			}
			if err := checkOutput(out, args...); err != nil {
				return err
			}
			d, err := detector.Load(args[0])
			if err != nil {
				return err
			}
			if err := writeOutputs("", []output{onnxOutput(d, out)}); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "mayfly: %s: %s forest over %d features\n", out, d.Manifest.Engine, len(d.Space.Features()))
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "model `file` to write (required)")
	cmd.Flags().StringVar(&format, "format", "onnx", "`name` of the form: onnx")
	_ = cmd.MarkFlagRequired("output")
	return cmd
}

// checkExport refuses forms that are not there.
func checkExport(format string) error {
	if format != "onnx" {
		return fmt.Errorf("format: want onnx, got %q", format)
	}
	return nil
}

func onnxOutput(d *detector.Detector, path string) output {
	return output{path, func(w io.Writer) error {
		model, err := d.ONNX()
		if err != nil {
			return err
		}
		_, err = w.Write(model)
		return err
	}}
}
