package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes the report as indented JSON.
func (r *DockerCVEReport) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// WriteTable writes the figures per CVE, and then beside the published methods.
func (r *DockerCVEReport) WriteTable(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(format string, args ...any) { fmt.Fprintf(t, format+"\t\n", args...) }
	line("CVE\tRUNS\tFPR %%\tDETECTED\tLEAD s")
	for i := 0; i < len(r.Runs); {
		j, detected := i, 0
		for ; j < len(r.Runs) && r.Runs[j].CVE == r.Runs[i].CVE; j++ {
			if r.Runs[j].Detected {
				detected++
			}
		}
		m := means("", r.Runs[i:j], BootstrapOptions{})
		line("%s\t%d\t%.2f\t%d\t%.2f", printable(r.Runs[i].CVE), j-i, 100*m.FPR.Value, detected, m.LeadS.Value)
		i = j
	}
	_ = t.Flush() // into a buffer, which takes everything
	fmt.Fprintln(&b)
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line("METHOD\tRUNS\tFPR %%\tDETECTED %%\tLEAD s")
	for _, m := range slices.Concat([]MethodMeans{r.Mayfly}, r.Baselines, r.Others) {
		line("%s\t%d\t%s\t%s\t%s", printable(m.Method), m.Runs, m.FPR.words(hundredths), m.Detected.words(hundredths),
			m.LeadS.words(func(v float64) string { return fmt.Sprintf("%.2f", v) }))
	}
	_ = t.Flush() // into a buffer, which takes everything
	if len(r.LeftOut) > 0 {
		fmt.Fprintf(&b, "\nwithout %s: they need the order of calls, and the dataset has counts\n", strings.Join(r.LeftOut, " and "))
	}
	fmt.Fprintf(&b, "\n%s\nIn brackets: 95 %% intervals over CVEs.\n", r.Protocol)
	if _, err := w.Write(trimLines(b.Bytes())); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// hundredths writes a share as per cent, as the published table does.
func hundredths(v float64) string { return fmt.Sprintf("%.2f", 100*v) }
