package replay

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mayfly/detector"
	"mayfly/feature"
	"mayfly/profile"
)

// How many new things, and how many counts, a headline names.
const (
	headlineItems = 3
	headlineCalls = 2
)

// headline is a finding in one line: what was never seen, and in how much that
// was learned from; what was too much or too little in the strongest window, which is
// width long; then how long it was.
func headline(container string, width time.Duration, detail *detector.Detail, what *feature.Description, learned *profile.Workload) string {
	var facts []string
	if !what.Known {
		facts = append(facts, "a workload that was not learned")
	}
	if len(what.Items) > 0 {
		var deeds []string
		for _, item := range what.Items {
			if !told(what.Items, item.Item) {
				deeds = append(deeds, deedOf(item.Item))
			}
		}
		if more := len(deeds) - headlineItems; more > 0 {
			deeds = deeds[:headlineItems]
			deeds = append(deeds, fmt.Sprintf("%d more", more))
		}
		facts = append(facts, neverSeen(learned)+": "+strings.Join(deeds, ", "))
	}
	for _, c := range what.Calls[:min(headlineCalls, len(what.Calls))] {
		if c.New {
			facts = append(facts, fmt.Sprintf("%g %s in %v, never seen", c.Seen, c.Name, width))
		} else {
			facts = append(facts, fmt.Sprintf("%g %s in %v, usual %g to %g", c.Seen, c.Name, width, math.Round(c.Low), math.Round(c.High)))
		}
	}
	if len(facts) == 0 {
		facts = append(facts, "an unusual mix of usual things")
	}
	if detail.Alarms > 1 {
		facts = append(facts, fmt.Sprintf("%d alarms within %v", detail.Alarms, time.Duration(detail.ToNS-detail.FromNS)))
	}
	if detail.Continues != "" {
		facts = append(facts, "continues "+detail.Continues)
	}
	return fmt.Sprintf("%s (%s): %s (score %.3f above %.3f)",
		plain(container), plain(detail.Workload), strings.Join(facts, "; "), detail.Score, detail.Threshold)
}

// told says whether another item says the same and more: who executed a file that
// was written after the start, or by another name, executed it, and a program that the
// container never ran did not come from within.
func told(items []feature.NewItem, item profile.Item) bool {
	l := profile.ParseList(item.Value)
	return slices.ContainsFunc(items, func(other feature.NewItem) bool {
		switch {
		case item.Kind == profile.Exec && other.Item.Kind == profile.Called:
			called := profile.ParseList(other.Item.Value)
			return len(called) == 2 && called[0] == item.Value
		case item.Kind == profile.Exec:
			return other.Item == profile.Item{Kind: profile.WriteExec, Value: item.Value}
		}
		return item.Kind == profile.Parent && len(l) == 2 && l[0] == "" && other.Item == profile.Item{Kind: profile.Exec, Value: l[1]}
	})
}

// neverSeen says in how much nothing like it was seen.
func neverSeen(learned *profile.Workload) string {
	if learned == nil || len(learned.Containers) == 0 {
		return "never seen"
	}
	containers := strconv.Itoa(len(learned.Containers)) + " containers"
	if len(learned.Containers) == 1 {
		containers = "1 container"
	}
	return "never seen in " + containers + " over " + span(learned.ToNS-learned.FromNS)
}

// span writes a length of time as people say it: one unit.
func span(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.0f hours", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.0f seconds", d.Seconds())
}

// deedOf says what an item means somebody did.
func deedOf(item profile.Item) string {
	value := plain(item.Value)
	switch item.Kind {
	case profile.Exec:
		return "executed " + value
	case profile.WriteExec:
		return "executed " + value + " (written after the start)"
	case profile.Read:
		return "read " + value
	case profile.Write:
		return "wrote " + value
	case profile.Connect:
		return "connected to " + value
	case profile.Listen:
		return "listened on " + value
	case profile.Accept:
		return "accepted a connection of " + value
	case profile.Bind:
		return "named a socket of " + value
	case profile.Cap:
		return "took " + value
	case profile.Priv:
		return "used " + value
	case profile.Refused:
		what, of, _ := strings.Cut(item.Value, " ")
		if of == "" {
			return "was refused to " + plain(what)
		}
		return "was refused to " + plain(what) + " " + plain(of)
	case profile.Called:
		if l := profile.ParseList(item.Value); len(l) == 2 {
			return "executed " + plain(l[0]) + " as " + plain(l[1])
		}
	case profile.Parent:
		if l := profile.ParseList(item.Value); len(l) == 2 && l[0] == "" {
			return plain(l[1]) + " came from outside"
		} else if len(l) == 2 {
			return plain(l[0]) + " began " + plain(l[1])
		}
	}
	return item.Kind + " " + value
}

// tags name the techniques of ATT&CK that the new items speak for, strongest
// first, beside the words that every finding has.
func tags(what *feature.Description) []string {
	tags := []string{"container", "mayfly"}
	for _, item := range what.Items {
		if t, ok := profile.TechniqueOf(item.Item); ok && !slices.Contains(tags, t.ID) {
			if !slices.Contains(tags, t.Tactic) {
				tags = append(tags, t.Tactic)
			}
			tags = append(tags, t.ID)
		}
	}
	return tags
}
