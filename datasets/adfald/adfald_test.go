package adfald

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"

	"mayfly/feature"
	"mayfly/trace"
)

// small is an archive of a few traces and a file that is none.
var small = [][2]string{
	{"ADFA-LD/ADFA-LD+Syscall+List.txt", "#define read 3"},
	{"ADFA-LD/Validation_Data_Master/UVD-0001.txt", "3 4 3 4"},
	{"ADFA-LD/Training_Data_Master/UTD-0002.txt", "3 4 3 4 "},
	{"ADFA-LD/Training_Data_Master/UTD-0001.txt", "11 192\n7"},
	{"ADFA-LD/Attack_Data_Master/Hydra_SSH_2/UAD-Hydra-SSH-2-77.txt", "102 3"},
	{"ADFA-LD/Attack_Data_Master/Meterpreter_1/UAD-Meterpreter-1-8.txt", "102 3"},
}

func archive(t testing.TB, files [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Size: int64(len(f[1])), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadSaysThatAFileIsNoArchive(t *testing.T) {
	_, err := Read(strings.NewReader(""), "empty.tar.xz")
	if want := "empty.tar.xz: no xz archive: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %q and the cause", err, want)
	}
}

func TestRead(t *testing.T) {
	var b bytes.Buffer
	z, err := xz.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(archive(t, small)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	set, err := Read(&b, "x")
	if err != nil {
		t.Fatal(err)
	}
	call := func(name string) trace.Call {
		c, ok := trace.CallNumber(name)
		if !ok {
			t.Fatalf("no call %q", name)
		}
		return c
	}
	want := []Trace{
		{"UTD-0001", Training, "", "", []trace.Call{call("execve"), call("mmap2"), call("waitpid")}},
		{"UTD-0002", Training, "", "", []trace.Call{0, 1, 0, 1}},
		{"UVD-0001", Validation, "", "", []trace.Call{0, 1, 0, 1}},
		{"UAD-Hydra-SSH-2-77", Attack, "Hydra_SSH", "Hydra_SSH_2", []trace.Call{call("socketcall"), 0}},
		{"UAD-Meterpreter-1-8", Attack, "Meterpreter", "Meterpreter_1", []trace.Call{call("socketcall"), 0}},
	}
	if diff := cmp.Diff(want, set.Traces); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
	if got := set.Kinds(); !slices.Equal(got, []string{"Hydra_SSH", "Meterpreter"}) {
		t.Errorf("kinds: got %v", got)
	}
	if got := Unique(set.Part(Validation), set.Part(Training)); len(got) != 0 {
		t.Errorf("validation without what training has: got %v", got)
	}
	if got := Unique(set.Part(Attack)); len(got) != 1 || got[0].Kind != "Hydra_SSH" {
		t.Errorf("unique attacks: got %v, want the first alone", got)
	}
}

func TestReadRefuses(t *testing.T) {
	file := small[2][0]
	for name, tc := range map[string]struct {
		files [][2]string
		want  string
	}{
		"a word":       {[][2]string{{file, "3 x"}}, `x: ` + file + `: call 2: got "x", want a number of i386's table`},
		"a big number": {[][2]string{{file, "40000"}}, `call 1: got "40000"`},
		"nothing":      {[][2]string{{file, " \n"}}, "no calls in it"},
		"no traces":    {small[:1], "no traces in it"},
		"twice":        {[][2]string{{file, "3"}, {file, "3"}}, "stands twice"},
	} {
		if _, err := ReadTar(bytes.NewReader(archive(t, tc.files)), "x"); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got error %v, want one with %q", name, err, tc.want)
		}
	}
	if _, err := Read(strings.NewReader("no xz"), "x"); err == nil || !strings.HasPrefix(err.Error(), "x: ") {
		t.Errorf("no xz: got error %v", err)
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), Archive) {
		t.Errorf("no archive: got error %v", err)
	}
}

// Two calls of i386 never become one, or a trace would lose what it did.
func TestCallsStayDistinct(t *testing.T) {
	seen := map[trace.Call]int{}
	for n := range 341 { // as far as the dataset's kernel, 2.6.38, went
		calls, err := ParseTrace([]byte(trimmed(n)))
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[calls[0]]; ok && calls[0] != trace.UnknownCall {
			t.Errorf("calls %d and %d are both %s", before, n, trace.CallName(calls[0]))
		}
		seen[calls[0]] = n
	}
	if len(seen) < 330 {
		t.Errorf("only %d calls are told apart", len(seen))
	}
}

func trimmed(n int) string {
	return strings.TrimSpace(string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10)))
}

func TestRecords(t *testing.T) {
	long := Trace{Name: "long", Part: Training, Calls: slices.Repeat([]trace.Call{0, 1, 3}, 300)}
	short := Trace{Name: "short", Part: Attack, Kind: "k", Session: "k_1", Calls: []trace.Call{5, 6}}
	var got []feature.Window
	for at, err := range feature.Each(Records(context.Background(), []Trace{long, short})) {
		if err != nil {
			t.Fatal(err)
		}
		w := *at
		w.Calls, w.TrigramCounts, w.ContainerID = slices.Clone(w.Calls), slices.Clone(w.TrigramCounts), strings.Clone(w.ContainerID)
		got = append(got, w)
	}
	if len(got) != long.Windows()+short.Windows() || long.Windows() != 4 {
		t.Fatalf("got %d windows, want 4 and 1", len(got))
	}
	var calls, trigrams uint32
	for _, w := range got[:4] {
		calls += w.Counters[feature.NCalls]
		for _, n := range w.TrigramCounts {
			trigrams += n
		}
	}
	if calls != 900 || trigrams != 898 {
		t.Errorf("900 calls: got %d calls and %d trigrams in the windows, want 900 and 898", calls, trigrams)
	}
	last := got[4]
	if last.ContainerID != "k_1/short" || last.StartNS != 0 || len(last.Trigrams) != 0 || last.Missing&feature.MissingOrder != 0 {
		t.Errorf("short trace: got %+v", last)
	}
}

// The numbers that the dataset's page names.
func TestTheDatasetItself(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "datasets", "adfa-ld")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("adfa-ld is not beside the project: " + err.Error())
	}
	set, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	train, valid, attack := set.Part(Training), set.Part(Validation), set.Part(Attack)
	got := []int{len(train), len(valid), len(attack), len(Unique(train)), len(Unique(valid)), len(Unique(attack)), len(Unique(valid, train))}
	if want := []int{833, 4372, 413, 780, 2420, 406, 2342}; !slices.Equal(got, want) {
		t.Errorf("traces of training, validation, attack; unique ones; validation without training: got %v, want %v", got, want)
	}
	for i := range set.Traces {
		if slices.Contains(set.Traces[i].Calls, trace.UnknownCall) {
			t.Errorf("%s: a call that no table knows", set.Traces[i].ContainerID())
		}
	}
}

func FuzzReadTar(f *testing.F) {
	whole := archive(f, small)
	f.Add(whole)
	f.Add(whole[:1000])
	f.Add([]byte("ADFA-LD"))
	f.Fuzz(func(t *testing.T, in []byte) {
		set, err := ReadTar(bytes.NewReader(in), "x")
		if err != nil {
			return
		}
		for i := range set.Traces {
			if tr := &set.Traces[i]; len(tr.Calls) == 0 || tr.Name == "" || (tr.Part == Attack) != (tr.Kind != "") {
				t.Errorf("read a trace %+v", tr)
			}
		}
	})
}

func FuzzParseTrace(f *testing.F) {
	f.Add([]byte("3 4 5\n340"))
	f.Add([]byte("32768"))
	f.Fuzz(func(t *testing.T, in []byte) {
		calls, err := ParseTrace(in)
		if err == nil && len(calls) != len(bytes.Fields(in)) {
			t.Errorf("%q: %d calls", in, len(calls))
		}
	})
}
