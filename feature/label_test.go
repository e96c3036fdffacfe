package feature

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadLabels(t *testing.T) {
	const text = "container,from,to,attack\n# a comment\nweb-1,2026-01-02T03:04:05Z,2026-01-02T04:04:06.000000007+01:00,shell\n0123456789abcdef,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z,\"a, b\"\n"
	got, err := ReadLabels(strings.NewReader(text), "x.csv")
	if err != nil {
		t.Fatal(err)
	}
	const at = 1767323045e9
	want := []Label{{"web-1", at, at + 1e9 + 7, "shell"}, {"0123456789abcdef", at, at, "a, b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

// endless is a line without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestReadLabelsIsBounded(t *testing.T) {
	const want = "x.csv: not labels: a line of more than 65536 bytes"
	if _, err := ReadLabels(endless{}, "x.csv"); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	comments := strings.NewReader("container,from,to,attack\n" + strings.Repeat("# nothing yet\n", maxLabelBytes/14))
	if _, err := ReadLabels(comments, "x.csv"); err == nil || err.Error() != "x.csv: more than 67108864 bytes of labels" {
		t.Errorf("got error %v, want one of too many bytes", err)
	}
}

func TestReadLabelsErrors(t *testing.T) {
	const head = "container,from,to,attack\n"
	for _, tt := range []struct{ text, want string }{
		{"", `x.csv: no labels: want a first line "container,from,to,attack"`},
		{"container,start,end,attack\n", `x.csv:1: header: got "container,start,end,attack", want "container,from,to,attack"`},
		{head + "web,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z\n", "x.csv:2: got 3 fields, want 4 (container,from,to,attack)"},
		{head + "web,now,2026-01-02T03:04:05Z,a\n", `x.csv:2: from: "now" is not an RFC 3339 time`},
		{head + "web,2026-01-02T03:04:05Z,2026-01-02 03:04,a\n", `x.csv:2: to: "2026-01-02 03:04" is not an RFC 3339 time`},
		{head + "\nweb,2026-01-02T03:04:05Z,2026-01-02T03:04:04Z,a\n", "x.csv:3: to: 2026-01-02T03:04:04Z lies before from"},
		{head + ",2026-01-02T03:04:05Z,2026-01-02T03:04:05Z,a\n", "x.csv:2: container: empty"},
		{head + "web,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z,\n", "x.csv:2: attack: empty"},
		{head + "web,0001-01-02T03:04:05Z,2026-01-02T03:04:05Z,a\n", `x.csv:2: from: "0001-01-02T03:04:05Z": year out of 1970 to 2261`},
		{head + "web,\"2026\n", `x.csv:2: extraneous or missing " in quoted-field`},
	} {
		_, err := ReadLabels(strings.NewReader(tt.text), "x.csv")
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: got error %v, want %s", tt.text, err, tt.want)
		}
	}
}

func TestLabelCovers(t *testing.T) {
	l := Label{Container: "0123456789ab", FromNS: 2e9, ToNS: 4e9}
	id := "0123456789ab" + strings.Repeat("0", 52)
	for _, tt := range []struct {
		label Label
		w     Window
		want  bool
	}{
		{l, Window{ContainerID: id, StartNS: 2e9, WidthNS: 1e9}, true},
		{l, Window{ContainerID: id, StartNS: 4e9, WidthNS: 1e9}, true},
		{l, Window{ContainerID: id, StartNS: 1e9, WidthNS: 1e9}, false},
		{l, Window{ContainerID: id, StartNS: 5e9, WidthNS: 1e9}, false},
		{l, Window{ContainerID: "f" + id[1:], StartNS: 2e9, WidthNS: 1e9}, false},
		{Label{Container: "web", ToNS: 4e9}, Window{ContainerID: id, ContainerName: "web", WidthNS: 1e9}, true},
		{Label{Container: "web", ToNS: 4e9}, Window{ContainerID: id, ContainerName: "web-2", WidthNS: 1e9}, false},
		{Label{Container: "0123", ToNS: 4e9}, Window{ContainerID: id, WidthNS: 1e9}, false}, // too short for an id
		{Label{Container: "run1", ToNS: 4e9}, Window{ContainerID: "run1", WidthNS: 1e9}, true},
	} {
		if got := tt.label.Covers(&tt.w); got != tt.want {
			t.Errorf("%+v covers window of %.12s (%q) at %d: got %v, want %v", tt.label, tt.w.ContainerID, tt.w.ContainerName, tt.w.StartNS, got, tt.want)
		}
	}
}

func TestWriteLabelsRefuses(t *testing.T) {
	for _, l := range []Label{{Attack: "a"}, {Container: "#x", Attack: "a"}, {Container: "x", Attack: "a\nb"}, {Container: "x", Attack: "\xff"}} {
		if err := WriteLabels(&bytes.Buffer{}, []Label{l}); err == nil {
			t.Errorf("%+v: got no error", l)
		}
	}
}

func FuzzReadLabels(f *testing.F) {
	f.Add("container,from,to,attack\nweb,2026-01-02T03:04:05Z,2026-01-02T03:04:06Z,shell\n")
	f.Add("container,from,to,attack\n\"a\"\"b\",2026-01-02T03:04:05.5Z,2026-01-02T03:04:06+05:30,\" x\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		labels, err := ReadLabels(strings.NewReader(text), "x")
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteLabels(&out, labels); err != nil {
			t.Fatalf("write what was read: %v (%q)", err, text)
		}
		again, err := ReadLabels(&out, "x")
		if err != nil || !cmp.Equal(labels, again) {
			t.Fatalf("got %+v (%v) back for %+v", again, err, labels)
		}
	})
}
