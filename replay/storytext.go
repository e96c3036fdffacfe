package replay

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"mayfly/sink"
)

// WriteText writes the story for a terminal. Usual steps in a row are counted, or
// told one by one with all. Names that somebody chose are quoted
// where they are not plain, so that no terminal obeys them.
func (s *Story) WriteText(w io.Writer, all bool) error {
	var b strings.Builder
	f, d := s.Finding, &s.Finding.Mayfly
	field := func(name string) string { v, _ := f.OutputFields[name].(string); return v }
	from, to := time.Unix(0, d.FromNS).UTC(), time.Unix(0, d.ToNS).UTC()
	fmt.Fprintf(&b, "FINDING %s, %s\n", d.ID, sink.Printable(f.Priority))
	fmt.Fprintf(&b, "  where  %s (%s), container %.12s on %s%s\n", sink.Printable(field("container.name")), sink.Printable(field("container.image")),
		d.ContainerID, sink.Printable(f.Hostname), pod(field("k8s.ns.name"), field("k8s.pod.name")))
	fmt.Fprintf(&b, "  when   %s to %s UTC, %d alarms, score %.3f above %.3f\n", from.Format(time.DateTime), to.Format(time.TimeOnly), d.Alarms, d.Score, d.Threshold)
	fmt.Fprintf(&b, "  what   %s\n", sink.Printable(sink.What(f)))
	if len(s.Processes) > 0 {
		fmt.Fprintf(&b, "\nWHO\n")
		for _, p := range s.Processes {
			exe := p.Exe
			if exe == "" {
				exe = "?"
			}
			fmt.Fprintf(&b, "  %s%d %s", strings.Repeat("  ", p.Depth), p.PID, plain(exe))
			if len(p.Argv) > 0 {
				words := make([]string, len(p.Argv))
				for i, arg := range p.Argv {
					words[i] = plain(arg)
				}
				fmt.Fprintf(&b, ": %s", strings.Join(words, " "))
			}
			fmt.Fprintln(&b)
		}
	}
	s.writeSteps(&b, all)
	s.writeUsual(&b)
	section(&b, "TECHNIQUES", len(s.Techniques), func(i int) string { return s.Techniques[i].ID + "  " + s.Techniques[i].Name })
	section(&b, "RULES THAT WOULD HAVE CAUGHT IT", len(s.Rules), func(i int) string { return sink.Printable(s.Rules[i]) })
	section(&b, "WHAT TO DO", len(s.Advice), func(i int) string { return fmt.Sprintf("%d. %s", i+1, s.Advice[i]) })
	section(&b, "NOTE", len(s.Notes), func(i int) string { return sink.Printable(s.Notes[i]) })
	_, err := io.WriteString(w, b.String())
	return err
}

func section(b *strings.Builder, title string, n int, line func(int) string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for i := range n {
		fmt.Fprintf(b, "  %s\n", line(i))
	}
}

func pod(namespace, name string) string {
	if name == "" {
		return ""
	}
	return ", pod " + sink.Printable(namespace+"/"+name)
}

func (s *Story) writeSteps(b *strings.Builder, all bool) {
	fmt.Fprintf(b, "\nWHAT HAPPENED, IN ORDER (* is new)\n")
	for i := 0; i < len(s.Steps); i++ {
		step := &s.Steps[i]
		run := i
		for !all && run < len(s.Steps) && s.Steps[run].Usual {
			run++
		}
		text, times := step.Text, step.Times
		if run > i+1 {
			text, times = fmt.Sprintf("%d usual steps (--all tells them)", run-i), 1
			i = run - 1
		}
		if times > 1 {
			text = fmt.Sprintf("%s (%d times)", text, times)
		}
		mark := " "
		if step.New {
			mark = "*"
		}
		fmt.Fprintf(b, "  %s %s %s\n", time.Unix(0, step.TimeNS).UTC().Format("15:04:05.000"), mark, text)
	}
	if s.More > 0 {
		fmt.Fprintf(b, "  … %d steps more\n", s.More)
	}
}

func (s *Story) writeUsual(b *strings.Builder) {
	d := &s.Finding.Mayfly
	if len(s.Usual)+len(d.Calls) == 0 {
		return
	}
	fmt.Fprintf(b, "\nWHAT WAS USUAL\n")
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, e := range s.Usual {
		fmt.Fprintf(tw, "  %s\t%s\tin %d windows of %d containers\n", e.Item.Kind, plain(e.Item.Value), e.Windows, e.Containers)
	}
	for _, c := range d.Calls {
		fmt.Fprintf(tw, "  calls\t%s\t%.0f to %.0f a window; here %.0f\n", plain(c.Name), c.Low, c.High, c.Seen)
	}
	_ = tw.Flush() // into memory
}
