package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"mayfly/rule"
)

// explained is what --explain prints of a rule in JSON.
type explained struct {
	Workload string    `json:"workload"`
	Audit    bool      `json:"audit,omitempty"`
	Risks    []string  `json:"risks,omitempty"`
	Rule     rule.Kind `json:"rule"`
	rule.Price
}

func explanations(sets []*rule.Set) (all []explained) {
	for _, s := range sets {
		for i := range s.Rules {
			all = append(all, explained{s.Workload, s.Audit, s.Risks, s.Rules[i].Kind, s.Rules[i].Price})
		}
	}
	return all
}

// printExplanations says of each rule how much of what it allows was probably not
// seen yet, and what each wildcard costs and saves.
func printExplanations(out io.Writer, sets []*rule.Set) error {
	for _, s := range sets {
		fmt.Fprintf(out, "%s: from %s\n", printable(s.Workload), s.Basis)
		switch {
		case s.Audit:
			fmt.Fprintln(out, "  watches only, and denies nothing:")
		case len(s.Risks) > 0:
			fmt.Fprintln(out, "  forced:")
		}
		for _, risk := range s.Risks {
			fmt.Fprintf(out, "  RISK: %s\n", printable(risk))
		}
		for i := range s.Rules {
			r := &s.Rules[i]
			words := r.Unseen.Words()
			if words == "" && len(r.Wildcards) == 0 {
				continue
			}
			fmt.Fprintf(out, "  %s: %s\n", r.Kind, words)
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			for j := range r.Wildcards {
				c := &r.Wildcards[j]
				fmt.Fprintf(w, "    %s\t%s\t%s\n", directory(c.Pattern, string(c.Form)), c.Form, printable(c.Words()))
			}
			if err := w.Flush(); err != nil {
				return err
			}
		}
		fmt.Fprintln(out)
	}
	return nil
}

// directory writes a directory with what stands below it.
func directory(pattern, form string) string {
	if form == "below" {
		pattern = strings.TrimSuffix(pattern, "/") + "/…"
	}
	return printable(pattern)
}
