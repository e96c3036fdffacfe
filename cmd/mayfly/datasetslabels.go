package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"mayfly/datasets"
	"mayfly/datasets/adfald"
	"mayfly/datasets/dockercve"
	"mayfly/feature"
	"mayfly/ingest"
)

// datasetLabel is one line of labels.csv.
type datasetLabel struct {
	container string
	from, to  int64
	attack    string
}

// importTrace converts a dataset's files into work/trace, and what it says of
// attacks into work/labels.csv.
func importTrace(cmd *cobra.Command, d *datasets.Dataset, opts *datasetImport, work string) (partial bool, err error) {
	i := slices.IndexFunc(ingest.Sources(), func(s ingest.Source) bool { return s.Format() == d.Format })
	if i < 0 {
		return false, fmt.Errorf("%s: no reader of %q", d.Name, d.Format)
	}
	src := ingest.Sources()[i]
	if d.Format == "strace" {
		src = ingest.Contained(src)
	}
	paths := []string{opts.from}
	if len(d.Files) > 0 {
		paths = nil
		for _, f := range d.Files {
			paths = append(paths, filepath.Join(opts.from, filepath.FromSlash(f.Path)))
		}
	}
	ctx, read, _, done := withInputProgress(cmd.Context(), cmd.ErrOrStderr(), "datasets import", inputBytes(paths))
	r, err := ingest.Convert(ctx, paths, ingest.ConvertOptions{Trace: filepath.Join(work, "trace"), Limits: opts.limits,
		Creator: "mayfly datasets import " + version(), Sources: []ingest.Source{src}, Read: read})
	done()
	if err != nil {
		return false, err
	}
	labels, err := datasetLabels(d, opts.from)
	if err != nil {
		return false, err
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	lines := [][]string{{"container", "from", "to", "attack"}}
	for _, l := range labels {
		lines = append(lines, []string{l.container, time.Unix(0, l.from).UTC().Format(time.RFC3339Nano),
			time.Unix(0, l.to).UTC().Format(time.RFC3339Nano), l.attack})
	}
	if err := w.WriteAll(lines); err != nil {
		return false, err
	}
	if err := renameio.WriteFile(filepath.Join(work, "labels.csv"), text.Bytes(), 0o644); err != nil {
		return false, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "mayfly: %s: %d rows from %d files, %d labels; %d bad records, %d files of another kind passed over\n",
		opts.out, r.Rows, r.Taken, len(labels), r.Rejected, len(r.Passed)+r.MorePassed)
	if r.Known > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "mayfly: %d files have the content of another one and stand once\n", r.Known)
	}
	return r.Partial(), nil
}

// datasetLabels makes labels of what a dataset says of attacks.
func datasetLabels(d *datasets.Dataset, from string) ([]datasetLabel, error) {
	switch d.Name {
	case "adfa-ld":
		set, err := adfald.Open(from)
		if err != nil {
			return nil, err
		}
		var labels []datasetLabel
		for _, t := range set.Part(adfald.Attack) {
			id, _ := ingest.StandIn("adfa-ld", t.Name+".txt")
			labels = append(labels, datasetLabel{id, 0, 0, t.Session})
		}
		return labels, nil
	case "hids-docker":
		return hidsLabels(), nil
	case "lid-ds-2021":
		return eachFile(from, ".zip", liddsLabels)
	case "beth":
		return eachFile(from, ".csv", bethLabels)
	}
	return nil, nil
}

// hidsLabels are the recordings of exploits, whose names are known.
func hidsLabels() (labels []datasetLabel) {
	names := []string{"wordpress_exec_1_teste1"}
	for n := range 25 {
		names = append(names, fmt.Sprintf("wordpress_exec_%d", n))
	}
	for _, name := range names {
		id, _ := ingest.StandIn("strace", name)
		labels = append(labels, datasetLabel{id, 0, 0, name})
	}
	return labels
}

// eachFile gathers the labels of a folder's files, by name.
func eachFile(dir, ext string, read func(string) ([]datasetLabel, error)) (labels []datasetLabel, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(name) != ext {
			return err
		}
		l, err := read(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		labels = append(labels, l...)
		return nil
	})
	return labels, err
}

// liddsLabels reads the times of exploits of one recording of LID-DS 2021.
func liddsLabels(name string) ([]datasetLabel, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = z.Close() }() // only read
	for _, f := range z.File {
		if filepath.Ext(f.Name) != ".json" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		var said struct {
			Time struct {
				Exploit []struct {
					Absolute float64
					Name     string
				}
				Ready struct{ Absolute float64 } `json:"container_ready"`
				Warm  struct{ Absolute float64 } `json:"warmup_end"`
			}
			RecordingTime float64 `json:"recording_time"`
		}
		err = json.NewDecoder(io.LimitReader(r, 16<<20)).Decode(&said)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		id, _ := ingest.StandIn("lid-ds", f.Name)
		var labels []datasetLabel
		end := max(said.Time.Ready.Absolute, said.Time.Warm.Absolute) + said.RecordingTime
		for _, e := range said.Time.Exploit {
			if !(e.Absolute > 0 && e.Absolute < 1e10) {
				return nil, fmt.Errorf("%s: exploit at %v s since 1970", f.Name, e.Absolute)
			}
			labels = append(labels, datasetLabel{id, unixNano(e.Absolute), unixNano(math.Min(max(e.Absolute, end), 1e10)), e.Name})
		}
		return labels, nil
	}
	return nil, errors.New("no JSON in it")
}

// unixNano makes nanoseconds of seconds, to a microsecond: more is not in a float.
func unixNano(s float64) int64 { return int64(math.Round(s*1e6)) * 1e3 }

// bethLabels makes a label of each run of evil lines of a honeypot that are less
// than a second apart.
func bethLabels(name string) ([]datasetLabel, error) {
	text, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = text.Close() }() // only read
	r := csv.NewReader(text)
	r.ReuseRecord, r.FieldsPerRecord = true, -1
	header, err := r.Read()
	if err != nil {
		return nil, err
	}
	at, host, evil := slices.Index(header, "timestamp"), slices.Index(header, "hostName"), slices.Index(header, "evil")
	if at < 0 || host < 0 || evil < 0 {
		return nil, nil // the DNS log
	}
	open := map[string]int{}
	var labels []datasetLabel
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return labels, nil
		}
		if err != nil {
			return nil, err
		}
		if len(row) <= max(at, host, evil) || strings.TrimSpace(row[evil]) != "1" {
			continue
		}
		s, err := strconv.ParseFloat(row[at], 64)
		if err != nil || !(s >= 0 && s < 1e10) {
			continue // the line is rejected where it is converted
		}
		ns := unixNano(s)
		if i, ok := open[row[host]]; ok && ns-labels[i].to < 1e9 && ns >= labels[i].from {
			labels[i].to = max(labels[i].to, ns)
			continue
		}
		id, _ := ingest.StandIn("beth", row[host]+".host")
		open[strings.Clone(row[host])] = len(labels)
		labels = append(labels, datasetLabel{id, ns, ns, "evil"})
	}
}

// importDockerCVE writes the windows of all CVEs as features.
func importDockerCVE(ctx context.Context, from, to string, stderr io.Writer) error {
	set, err := dockercve.Open(from)
	if err != nil {
		return err
	}
	out, err := feature.CreateFile(to)
	if err != nil {
		return err
	}
	counts := feature.Counts{}
	step, done := stepProgress(ctx, stderr, "CVEs")
	defer done()
	for i, cve := range set.CVEs() {
		if err := addDockerCVE(ctx, set, cve, out, &counts); err != nil {
			return errors.Join(err, out.Abort())
		}
		if step != nil {
			step(i+1, len(set.CVEs()))
		}
	}
	done()
	if err := out.Close(&feature.Provenance{WidthNS: 1e8, Counts: counts, Creator: "mayfly datasets import " + version()}); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "mayfly: %d windows of %d CVEs; their labels are timing.csv (mayfly evaluate --protocol docker-cve)\n", counts.Windows, len(set.CVEs()))
	return nil
}

func addDockerCVE(ctx context.Context, set *dockercve.Set, cve string, out *feature.FileWriter, counts *feature.Counts) error {
	windows, err := set.Windows(cve)
	if err != nil {
		return err
	}
	for w, err := range feature.Each(windows.Records(ctx, func(dockercve.Row) bool { return true })) {
		if err != nil {
			return err
		}
		counts.Windows++
		if counts.FromNS == 0 || w.StartNS < counts.FromNS {
			counts.FromNS = w.StartNS
		}
		counts.ToNS = max(counts.ToNS, w.EndNS())
		if err := out.Append(w); err != nil {
			return err
		}
	}
	return nil
}
