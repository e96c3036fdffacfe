package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mayfly/page"
	"text/tabwriter"
)

// WriteJSON writes the report as indented JSON.
func (r *SplitReport) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// WriteTable writes one line per split and method.
func (r *SplitReport) WriteTable(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "HELD OUT\tCONTAINERS\tMETHOD\tAUROC\tAUPRC\tPRECISION@K\tFPR\tFOUND\tFALSE ALARMS, RUNS\tDETECTED AFTER\n")
	for i := range r.Splits {
		s := &r.Splits[i]
		for _, m := range s.Methods {
			found, runs := "–", "–"
			if m.Found != nil {
				found, runs = fmt.Sprintf("%d of %d", *m.Found, *m.Attacks), fmt.Sprint(*m.ConsecutiveFalseAlarms)
			}
			fmt.Fprintf(t, "%s\t%d + %d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(s.Name), s.Train, s.Test, m.Method, m.AUROC.words(page.Decimals),
				m.AUPRC.words(page.Decimals), page.Optional(m.PrecisionAtK, page.Decimals), page.Optional(m.FPR, page.Percent), found, runs, page.Optional(m.MeanTimeToDetectS, seconds))
		}
	}
	_ = t.Flush() // into a buffer, which takes everything
	if r.Seeds != nil {
		fmt.Fprintf(&b, "\nmayfly over %d seeds: mean AUROC %.3f ± %.3f\n", len(r.Seeds.Values), r.Seeds.Mean, r.Seeds.SD)
	}
	for _, leak := range r.Leaks {
		fmt.Fprintf(&b, "\nnote: leak, allowed: %s", printable(leak))
	}
	fmt.Fprintf(&b, "\n%s.\nIn brackets: 95 %% intervals over containers.\n", r.Protocol)
	if _, err := w.Write(trimLines(b.Bytes())); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
