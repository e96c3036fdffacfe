package rule

import (
	"fmt"

	"mayfly/profile"
)

// Unseen says how complete the evidence of a rule is, its wildcards taken into
// account.
type Unseen struct {
	Things  int     `json:"things"`   // values and wildcards that the rule allows
	Once    int     `json:"once"`     // of them, those of one container only
	Late    int     `json:"late"`     // of the values, those first seen in the last fifth of the time
	Missed  int     `json:"missed"`   // values that would have been false alarms of the container left out of the learning, over all containers
	Share   float64 `json:"share"`    // of what one more container does: estimated to be new, in [0,1]; -1: one container cannot tell
	Replica int     `json:"replicas"` // containers; 0: nothing was judged
}

// Words says it in a line, "" where nothing was judged.
func (u Unseen) Words() string {
	switch {
	case u.Replica == 0:
		return ""
	case u.Share < 0:
		return fmt.Sprintf("%d allowed, %d of them first seen in the last fifth of the time; one container cannot tell what another would do", u.Things, u.Late)
	}
	return fmt.Sprintf("%d allowed, %d seen in one of %d containers only; about %.2g %% of what one more container does is new; learned without each of them in turn: %d false alarms",
		u.Things, u.Once, u.Replica, 100*u.Share, u.Missed)
}

// doubts lists why a workload should give no rules, whatever the rules.
func doubts(w *profile.Workload, opts Options) []string {
	var why []string
	if len(w.Items) == 0 || w.Windows == 0 {
		why = append(why, "nothing was recorded")
	} else if w.Windows < opts.MinWindows {
		why = append(why, fmt.Sprintf("only %d windows were recorded, want at least %d", w.Windows, opts.MinWindows))
	}
	if w.Name == profile.Unknown {
		why = append(why, "the image of its containers is not known: they need not have anything in common")
	}
	if w.Lost > 0 {
		why = append(why, fmt.Sprintf("%d records were lost: what they held would be forbidden", w.Lost))
	}
	if w.GapWindows > 0 {
		why = append(why, fmt.Sprintf("%d windows touch a gap of the recording: what was done then would be forbidden", w.GapWindows))
	}
	for _, o := range w.Overflow {
		why = append(why, fmt.Sprintf("%d occurrences of kind %s did not fit into the profile", o.Count, o.Kind))
	}
	return why
}

// unseen lists the rules for which too much was probably not seen.
func (s *Set) unseen(w *profile.Workload, opts Options) (why []string) {
	say := func(what string, u Unseen) {
		if text := u.doubt(what, opts.MaxUnseen); text != "" {
			why = append(why, text)
		}
	}
	for i := range s.Rules {
		switch r := &s.Rules[i]; r.Kind {
		case Program:
			say("programs", r.Unseen)
		case Write:
			say("files that it writes", r.Unseen)
		case Connect:
			say("peers", r.Unseen)
		case Listen:
			say("ports that it serves", r.Unseen)
		}
	}
	if s.Calls != nil {
		say("system calls", unseenItems(w, profile.Call))
	}
	return why
}

// doubt says that too much of something was probably not seen; "" where it is
// little enough. Where one container cannot tell what another would do, what it did
// late says whether it had shown everything.
func (u Unseen) doubt(what string, most float64) string {
	switch {
	case u.Share > most:
		return fmt.Sprintf("about %.2g %% of the %s of one more container were probably not seen, want at most %.2g %%: %d of %d were seen in one of %d containers only",
			100*u.Share, what, 100*most, u.Once, u.Things, u.Replica)
	case u.Share < 0 && u.Late > 1 && float64(u.Late) > most*float64(u.Things):
		return fmt.Sprintf("%d of %d %s were first seen in the last fifth of the time, of one container: want at most %.2g %%", u.Late, u.Things, what, 100*most)
	}
	return ""
}

// unseen says how complete things are that were seen in so many containers each, of
// which some were seen late and some missed by those of the other containers.
func unseen(w *profile.Workload, seenIn []int, late, missed int) Unseen {
	share, once := profile.UnseenShare(seenIn, len(w.Containers))
	return Unseen{Things: len(seenIn), Once: once, Late: late, Missed: missed, Share: share, Replica: len(w.Containers)}
}

// unseenItems is unseen where each item stands for itself.
func unseenItems(w *profile.Workload, kind string) Unseen {
	entries := w.Kind(kind)
	seenIn := make([]int, len(entries))
	for i := range entries {
		seenIn[i] = entries[i].Containers
	}
	u := unseen(w, seenIn, w.Completeness(kind).NewLately, 0)
	if len(w.Containers) > 1 {
		u.Missed = u.Once
	}
	return u
}
