package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mayfly/datasets"
	"mayfly/ingest"
)

const datasetsLong = `Say what public datasets hold, and take one in.

Datasets are named here and never shipped: get one from its source, then

  mayfly datasets list
  mayfly datasets info adfa-ld
  mayfly datasets import adfa-ld --from downloads/adfa-ld -o adfa
  mayfly ingest adfa/trace -o adfa/features.parquet
  mayfly evaluate -h

import checks the files' SHA-256 where it is known here, and writes OUT/trace and
OUT/labels.csv; of docker-cve, which has counts by window, OUT/features.parquet.
What each format becomes is in ingest/SOURCES.md.

`

func newDatasetsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "datasets",
		Short: "Say what public datasets hold, and take one in",
		Long:  datasetsLong + exitStatuses,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDatasetsListCommand(), newDatasetsInfoCommand(), newDatasetsImportCommand())
	return cmd
}

func newDatasetsListCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the datasets that are known",
		Long:  "List the datasets that are known.\n\n  mayfly datasets list -o json\n\n" + exitStatuses,
		Args:  usageArgs("datasets list", cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printDatasets(cmd.OutOrStdout(), output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// usageArgs makes wrong arguments of a command below a command end with the status
// of wrong use.
func usageArgs(name string, check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageErrorf("%s: %w (see mayfly %s -h)", name, err, name)
		}
		return nil
	}
}

func printDatasets(w io.Writer, output string) error {
	switch output {
	case "json":
		return printJSONIndented(w, datasets.All())
	case "table":
	default:
		return usageErrorf("datasets list: -o: got %q, want table or json", output)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tCHECKED HERE\tTITLE")
	for _, d := range datasets.All() {
		checked := "no"
		if len(d.Files) > 0 {
			checked = fmt.Sprintf("%d files", len(d.Files))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", d.Name, checked, d.Title)
	}
	return t.Flush()
}

func printJSONIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func newDatasetsInfoCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "info NAME",
		Short: "Say all that is known of a dataset",
		Long: "Say all that is known of a dataset: source, licence, size, checksums, schema, what\n" +
			"its labels mean, its protocol, its published figures.\n\n  mayfly datasets info docker-cve\n\n" + exitStatuses,
		Args: usageArgs("datasets info", cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := findDataset(args[0])
			if err != nil {
				return err
			}
			switch output {
			case "json":
				return printJSONIndented(cmd.OutOrStdout(), d)
			case "text":
				return printDataset(cmd.OutOrStdout(), d)
			}
			return usageErrorf("datasets info: -o: got %q, want text or json", output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func findDataset(name string) (*datasets.Dataset, error) {
	if d, ok := datasets.Lookup(name); ok {
		return &d, nil
	}
	var names []string
	for _, d := range datasets.All() {
		names = append(names, d.Name)
	}
	return nil, usageErrorf("dataset %q: not known, want one of %s", name, strings.Join(names, ", "))
}

func printDataset(w io.Writer, d *datasets.Dataset) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, line := range [][2]string{{"name", d.Name}, {"title", d.Title}, {"source", d.Source}, {"licence", d.Licence}, {"size", d.Size},
		{"schema", d.Schema}, {"labels", d.Labels}, {"protocol", d.Protocol}} {
		if line[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", line[0], line[1])
		}
	}
	for _, p := range d.Published {
		fmt.Fprintf(t, "published\t%s: %s (%s)\n", p.Method, cmp.Or(p.Figures, "see the paper"), p.Citation)
	}
	if len(d.Files) == 0 {
		fmt.Fprintln(t, "sha256\tnot known here")
	}
	for _, f := range d.Files {
		fmt.Fprintf(t, "sha256\t%s  %s\n", f.SHA256, f.Path)
	}
	return t.Flush()
}

type datasetImport struct {
	from, out string
	limits    ingest.Limits
}

func newDatasetsImportCommand() *cobra.Command {
	var opts datasetImport
	cmd := &cobra.Command{
		Use:   "import NAME --from DIR -o OUT",
		Short: "Check a dataset's files and convert them",
		Long: "Check the files of a dataset that was downloaded to DIR, where their SHA-256 is\n" +
			"known here, and convert them: OUT/trace and OUT/labels.csv, or of docker-cve\nOUT/features.parquet. OUT must not exist.\n\n" +
			"  mayfly datasets import adfa-ld --from downloads/adfa-ld -o adfa\n\n" + exitStatuses,
		Args: usageArgs("datasets import", cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := findDataset(args[0])
			if err != nil {
				return err
			}
			return runDatasetImport(cmd, d, &opts)
		},
	}
	cmd.Flags().StringVar(&opts.from, "from", "", "folder that holds the dataset")
	cmd.Flags().StringVarP(&opts.out, "output", "o", "", "folder to write")
	addLimits(cmd.Flags(), &opts.limits)
	return cmd
}

// verifyDataset checks a dataset's files, and shows at a terminal how far it is.
func verifyDataset(cmd *cobra.Command, d *datasets.Dataset, from string) error {
	var files []string
	for _, f := range d.Files {
		files = append(files, filepath.Join(from, filepath.FromSlash(f.Path)))
	}
	_, read, _, done := withInputProgress(cmd.Context(), cmd.ErrOrStderr(), "check", inputBytes(files))
	defer done()
	return d.Verify(from, read)
}

func runDatasetImport(cmd *cobra.Command, d *datasets.Dataset, opts *datasetImport) (err error) {
	stderr := cmd.ErrOrStderr()
	if opts.from == "" || opts.out == "" {
		return usageErrorf("datasets import: want --from DIR and -o OUT (see mayfly datasets import -h)")
	}
	if err := checkLimits("datasets import", cmd.Flags(), &opts.limits); err != nil {
		return err
	}
	if _, err := os.Stat(opts.from); err != nil {
		return err
	}
	if _, err := os.Lstat(opts.out); err == nil {
		return fmt.Errorf("%s: is there already", opts.out)
	}
	if err := checkFolder(filepath.Clean(opts.out)); err != nil {
		return err
	}
	if len(d.Files) == 0 {
		fmt.Fprintf(stderr, "mayfly: warning: %s: no checksums are known here: not verified\n", d.Name)
	} else if err := verifyDataset(cmd, d, opts.from); err != nil {
		return err
	}
	// What is made has its name only when it is complete.
	work, err := os.MkdirTemp(filepath.Dir(filepath.Clean(opts.out)), ".mayfly-import-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && !errors.As(err, new(statusError)) {
			_ = os.RemoveAll(work) // the first error is the one to tell
		}
	}()
	partial := false
	if d.Name == "docker-cve" {
		err = importDockerCVE(cmd.Context(), opts.from, filepath.Join(work, "features.parquet"), stderr)
	} else {
		partial, err = importTrace(cmd, d, opts, work)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(work, opts.out); err != nil {
		return err
	}
	if partial {
		return statusError{statusPartial, nil}
	}
	return nil
}
