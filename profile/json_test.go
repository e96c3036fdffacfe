package profile

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJSONRoundTrip(t *testing.T) {
	b := NewBuilder(BuilderOptions{MaxItems: 5})
	for _, value := range hostile {
		b.Add(&Window{Workload: value, Container: value, Name: value, Host: value, StartNS: 1, EndNS: 2, Trace: &Trace{Name: value, Host: value, BootID: value},
			Items: []Item{{Exec, value}, {Read, Template(value)}, {Argv, ArgvShape(value, []string{value, value, "--x=" + value}, false)}}})
	}
	p := b.Profile()
	text := encode(t, p)
	got, err := Decode(strings.NewReader(text))
	if err != nil {
		t.Fatalf("decode: %v\n%s", err, text)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("round trip (-want +got):\n%s", diff)
	}
	if again := encode(t, got); again != text {
		t.Errorf("second encoding differs:\n%s", cmp.Diff(text, again))
	}
}

var hostile = []string{
	"", " ", "a b", "\x00", "\xff\xfe", "line\nbreak", `quote"`, "'", "<script>", "../../etc", strings.Repeat("é", MaxValue),
	"\u202e", "a\\b", "{}", "%s%n", "$(id)", "-rf",
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, "unexpected end"},
		{`{}`, "no list of workloads"},
		{`[]`, "cannot unmarshal array"},
		{`{"format":"other","version":2,"workloads":[]}`, "want format"},
		{`{"format":"mayfly profile","version":3,"workloads":[]}`, "of version 3"},
		{`{"traces":[{"name":"a","host":"h","from_ns":2,"to_ns":1}],"workloads":[]}`, "ends before it begins"},
		{`{"traces":[{"name":"b","host":"h"},{"name":"a","host":"h"}],"workloads":[]}`, "out of order"},
		{`{"workloads":[{"name":"a","containers":[{"id":"x","windows":-1}]}]}`, "negative count"},
		{`{"workloads":[{"name":"a","containers":[{"id":"x","odd":1}]}]}`, "unknown field"},
		{`{"workloads":[{"name":"a","windows":1,"containers":["x"],"items":[{"item":"exec x","windows":1,"containers":1,"in":"1"}]}]}`, "members"},
		{`{"workloads":[{"name":"a","windows":1,"containers":["x"],"items":[{"item":"exec x","windows":1,"containers":1,"in":"0-4294967295"}]}]}`, "members"},
		{`{"workloads":[{"name":"a","windows":1,"containers":["x"],"items":[{"item":"exec x","windows":1,"containers":2,"in":"0,0"}]}]}`, "members"},
		{`{"workloads":[{"name":"a","windows":1,"containers":["x"],"items":[{"item":"exec x","windows":1,"containers":2,"in":"0"}]}]}`, "cannot be"},
		{`{"workloads":[{"name":"a","windows":1,"items":[{"item":"exec x","windows":1,"traces":"0"}]}]}`, "traces that cannot be"},
		{`{"workloads":[],"x":1}`, "unknown field"},
		{`{"workloads":[{"name":""}]}`, "bad name"},
		{`{"workloads":[{"name":"b"},{"name":"a"}]}`, "out of order"},
		{`{"workloads":[{"name":"a"},{"name":"a"}]}`, "out of order"},
		{`{"workloads":[{"name":"a","from_ns":2,"to_ns":1}]}`, "ends before it begins"},
		{`{"workloads":[{"name":"a","lost":-1}]}`, "negative count"},
		{`{"workloads":[{"name":"a","windows":1,"items":[{"item":"odd x","windows":1}]}]}`, "unknown kind"},
		{`{"workloads":[{"name":"a","windows":1,"items":[{"item":"exec"}]}]}`, "want \"kind value\""},
		{`{"workloads":[{"name":"a","windows":1,"items":[{"item":"exec "}]}]}`, "no value"},
		{`{"workloads":[{"name":"a","windows":1,"items":[{"item":"exec x","windows":2}]}]}`, "cannot be"},
		{`{"workloads":[{"name":"a","windows":1,"items":[{"item":"exec x","windows":1,"containers":9999}]}]}`, "cannot be"},
		{`{"workloads":[{"name":"a","windows":2,"items":[{"item":"exec x","windows":1},{"item":"exec a","windows":1}]}]}`, "out of order"},
		{`{"workloads":[{"name":"a","containers":["b","a"]}]}`, "out of order"},
		{`{"workloads":[{"name":"a","overflow":[{"kind":"odd","count":1}]}]}`, "overflow"},
		{`{"workloads":[{"name":"a","declared":{"ports":["b","a"]}}]}`, "out of order"},
	} {
		p, err := Decode(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Decode(%s) = %v, %v; want an error with %q", test.text, p, err, test.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b := NewBuilder(BuilderOptions{})
	b.Add(&Window{Workload: "web", Container: "c", Host: "h", StartNS: 1, EndNS: 2, Lost: 1, Trace: &Trace{Name: "monday", Host: "h"},
		Items: []Item{{Exec, "/bin/sh"}, {Connect, "inet:1.2.3.4:5"}}})
	seed, err := json.Marshal(b.Profile())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(seed))
	f.Add(`{"workloads":[{"name":"a","declared":{"ports":["b"]},"overflow":[{"kind":"read","count":1}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Decode(strings.NewReader(text))
		if err != nil {
			return
		}
		once := encode(t, p)
		again, err := Decode(strings.NewReader(once))
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, once)
		}
		if twice := encode(t, again); twice != once {
			t.Fatalf("encodings differ: %s\n%s", once, twice)
		}
		if merged, err := Merge(p, again); err == nil {
			if _, err := Decode(strings.NewReader(encode(t, merged))); err != nil {
				t.Fatalf("what was merged is refused: %v\n%s", err, encode(t, merged))
			}
		}
	})
}

func FuzzParseItem(f *testing.F) {
	f.Add("exec /bin/sh")
	f.Add("read a b")
	f.Fuzz(func(t *testing.T, s string) {
		item, err := ParseItem(s)
		if err == nil && item.String() != s {
			t.Errorf("ParseItem(%q).String() = %q", s, item.String())
		}
	})
}
