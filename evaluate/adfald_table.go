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
func (r *ADFALDReport) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// WriteTable writes both protocols as tables.
func (r *ADFALDReport) WriteTable(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }
	line("ONE CLASS\tTRACES\tAUROC\tAUPRC\tRECALL AT 20 %%\tTHRESHOLD OF TRAINING: RECALL AT FALSE ALERTS")
	for i := range r.OneClass {
		f := &r.OneClass[i]
		for _, side := range []struct {
			name string
			of   *TraceRanking
		}{{"as published", &f.Published}, {"deduplicated", &f.Deduplicated}} {
			line("%s, %s\t%d + %d\t%s\t%s\t%s\t%s at %s", f.Method, side.name, side.of.Normal, side.of.Attack, side.of.AUROC.words(page.Decimals),
				side.of.AUPRC.words(page.Decimals), side.of.Recall.words(page.Percent), page.Percent(side.of.Found), page.Percent(side.of.FalseAlerts))
		}
	}
	_ = t.Flush() // into a buffer, which takes everything
	r.writeKinds(&b)
	if p := r.Poison; p != nil {
		fmt.Fprintf(&b, "\npoison: %d attack traces among the training traces (%s): AUROC %s, recall %s at %s false alerts; without them %s, %s at %s\n",
			p.Traces, page.Percent(p.Share), p.With.AUROC.words(page.Decimals), page.Percent(p.With.Found), page.Percent(p.With.FalseAlerts),
			p.Clean.AUROC.words(page.Decimals), page.Percent(p.Clean.Found), page.Percent(p.Clean.FalseAlerts))
	}
	r.writeSupervised(&b)
	fmt.Fprintf(&b, "\n%s\nIn brackets: 95 %% intervals over sessions of an attack and different normal traces. This copy has three of the six\nkinds of attack; published figures are of all six.\n", r.Protocol)
	if _, err := w.Write(trimLines(b.Bytes())); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// writeKinds writes the one-class figures per kind of attack.
func (r *ADFALDReport) writeKinds(b *bytes.Buffer) {
	fmt.Fprintln(b)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "AUROC PER KIND, DEDUPLICATED")
	for _, k := range r.OneClass[0].Kinds {
		fmt.Fprintf(t, "\t%s (%d)", printable(k.Kind), k.Traces)
	}
	fmt.Fprintln(t)
	for i := range r.OneClass {
		fmt.Fprint(t, r.OneClass[i].Method)
		for _, k := range r.OneClass[i].Kinds {
			fmt.Fprintf(t, "\t%s", k.AUROC.words(page.Decimals))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // into a buffer, which takes everything
	if s := r.OneClass[0].Seeds; s != nil {
		fmt.Fprintf(b, "\n%s over %d seeds: AUROC %.3f ± %.3f\n", r.OneClass[0].Method, len(s.Values), s.Mean, s.SD)
	}
}

func (r *ADFALDReport) writeSupervised(b *bytes.Buffer) {
	s := &r.Supervised
	fmt.Fprintln(b)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "SUPERVISED, KIND NEVER SEEN\tTRACES\tAUROC\tRECALL AT 20 %%\n")
	for _, k := range s.Kinds {
		fmt.Fprintf(t, "%s\t%d + %d\t%s\t%s\n", printable(k.Kind), s.Normal, k.Traces, k.AUROC.words(page.Decimals), k.Recall.words(page.Percent))
	}
	fmt.Fprintf(t, "mean\t\t%s\n", page.Decimals(s.MeanAUROC))
	_ = t.Flush() // into a buffer, which takes everything
	if s.Seeds != nil {
		fmt.Fprintf(b, "over %d seeds: %.3f ± %.3f\n", len(s.Seeds.Values), s.Seeds.Mean, s.Seeds.SD)
	}
	c := &s.Calibration
	fmt.Fprintf(b, "\nprobabilities: Brier score %.4f (%.4f for a constant)\n", c.Brier, c.BaseBrier)
	t = tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "SAID\tMEAN\tOBSERVED\tTRACES\t\n")
	for _, bin := range c.Bins {
		fmt.Fprintf(t, "%.1f to %.1f\t%.3f\t%.3f\t%d\t\n", bin.From, bin.To, bin.Said, bin.Observed, bin.Count)
	}
	_ = t.Flush() // into a buffer, which takes everything
}
