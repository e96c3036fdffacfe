package trace

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// The demo recording is of a recorder that counted all events as one class.
func TestInspectOldRecording(t *testing.T) {
	in, err := Inspect(t.Context(), mustOpen(t, filepath.Join("..", "datasets", "demo", "trace")), InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for class, l := range in.Losses {
		if l.Produced == 0 || l.Uncounted() != 0 {
			t.Errorf("%s: got %+v", class, l)
		}
	}
	if len(in.Losses) != 2 || len(in.Gaps) != 0 || len(in.Hosts) != 1 || in.Hosts[0].Ended == nil || !*in.Hosts[0].Ended || in.Calls == 0 {
		t.Errorf("got %+v", in)
	}
	if lacking := in.Tables[0].Lacking; !slices.Contains(lacking, "cpu") || !slices.Contains(lacking, "seq") {
		t.Errorf("events lack %q, want cpu and seq among them", lacking)
	}
	events := int64(0)
	for _, c := range in.Containers {
		events += c.Events
	}
	if events != in.Tables[0].Rows {
		t.Errorf("containers have %d events, the table %d", events, in.Tables[0].Rows)
	}
}

// Containers and gaps beyond the limits are counted together.
func TestInspectIsBounded(t *testing.T) {
	dir := t.TempDir()
	w := newTestWriter(t, dir)
	var rows []Event
	var losses []Loss
	for i := range 100 {
		rows = append(rows, Event{TimeNS: startNS + int64(i), Kind: fmt.Sprint("kind", i), ContainerID: fmt.Sprint(i)})
		losses = append(losses, Loss{FromNS: startNS, ToNS: startNS + int64(i), Class: LossGap},
			Loss{FromNS: startNS, ToNS: startNS, Class: fmt.Sprint("class", i), Lost: 1})
	}
	losses = append(losses, Loss{FromNS: startNS - 9, ToNS: startNS, Class: LossRetention, Lost: 3}, Loss{FromNS: startNS, ToNS: startNS + 9, Class: LossRetention, Lost: 4})
	must(t, w.Events(rows), w.Losses(losses), w.Close())
	in, err := Inspect(t.Context(), mustOpen(t, dir), InspectOptions{MaxContainers: 10, MaxGaps: 7})
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Containers) != 11 || in.Containers[0].ID != MoreContainers || in.Containers[0].Events != 90 {
		t.Errorf("got %d containers, the first %+v", len(in.Containers), in.Containers[0])
	}
	if len(in.Gaps) != 7 || in.MoreGaps != 93 {
		t.Errorf("got %d gaps and %d more", len(in.Gaps), in.MoreGaps)
	}
	lost := int64(0)
	for _, l := range in.Losses {
		lost += l.Lost
	}
	if len(in.Losses) > 70 || lost != 100 {
		t.Errorf("got %d classes, %d lost", len(in.Losses), lost)
	}
	check(t, "retention", *in.Retention, Retention{Rows: 7, FromNS: startNS - 9, ToNS: startNS + 9})
}
