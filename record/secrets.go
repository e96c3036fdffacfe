package record

import "mayfly/record/redact"

// hideSecrets redacts a batch, just before it is written: whatever way a command
// line came, nothing of it reaches the disk as it was. It returns the number of
// words that it replaced.
func (b *batch) hideSecrets(r *redact.Redactor) (words uint64) {
	if r == nil {
		return 0
	}
	hide := func(argv *[]string) {
		if len(*argv) > 0 {
			out, n := r.Argv(*argv)
			*argv = out
			words += uint64(n)
		}
	}
	for i := range b.events {
		hide(&b.events[i].Argv)
	}
	for i := range b.processes {
		hide(&b.processes[i].Argv)
	}
	for i := range b.containers {
		c := &b.containers[i]
		hide(&c.Entrypoint)
		hide(&c.Cmd)
		c.Labels = hideEach(r, c.Labels, &words)
	}
	return words
}

// hideEach redacts texts that do not belong together.
func hideEach(r *redact.Redactor, texts []string, words *uint64) []string {
	out := texts
	for i, text := range texts {
		hidden := r.Text(text)
		if hidden == text {
			continue
		}
		if &out[0] == &texts[0] {
			out = append([]string(nil), texts...)
		}
		out[i] = hidden
		*words++
	}
	return out
}
