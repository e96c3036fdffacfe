package ingest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const adfaSample = "6 6 63 6 42 120 6 195 120\n6 6 114 114 1 1 252 \n"

const unmSample = "2413 106\n2413 4\n2414 2\n2413 5\n2413 5\n\n2414 66\n2414 66\n2413 1\n2413 6\n"

func TestADFALD(t *testing.T) {
	in := Input{Name: "adfa-ld.tar.xz/ADFA-LD/Training_Data_Master/UTD-0001.txt"}
	if !(ADFALD{}).Sniff("UTD-0001.txt", []byte(adfaSample)) || (ADFALD{}).Sniff("x.txt", []byte(adfaSample)) ||
		(ADFALD{}).Sniff("UTD-0001.txt", []byte("6 x")) {
		t.Error("not told by name and numbers")
	}
	golden(t, ADFALD{}, in, []byte(adfaSample+"x 99999 7\n"), "calls/adfa-ld.rows")
}

func TestUNM(t *testing.T) {
	if !(UNM{}).Sniff("x.int", []byte(unmSample)) || (UNM{}).Sniff("x", []byte(strings.Repeat("1 2\n", 9)+"1 2 3\n")) || (UNM{}).Sniff("x", []byte("1 2\n")) {
		t.Error("not told by its lines")
	}
	golden(t, UNM{}, Input{Name: "sendmail.int"}, []byte(unmSample+"1 2 3\n1 x\n-1 3\n"), "calls/unm.rows")
}

// TestBETHGolden reads the begins of real files of the dataset.
func TestBETHGolden(t *testing.T) {
	for _, name := range []string{"labelled_training_data", "labelled_testing_data", "labelled_2021may-ubuntu"} {
		content := sampleFile(t, "fixtures/beth/"+name+".csv")
		if !(BETH{}).Sniff(name, content) {
			t.Errorf("%s: not taken for BETH's", name)
		}
		golden(t, BETH{}, Input{Name: name}, content, "beth/"+name+".rows")
	}
	if (BETH{}).Sniff("dns", sampleFile(t, "fixtures/beth/labelled_2021may-ubuntu-dns.csv")) {
		t.Error("the DNS log is taken for calls")
	}
}

func TestBETHRejects(t *testing.T) {
	head := strings.Join(bethColumns, ",") + "\n"
	for _, tc := range []struct{ row, why string }{
		{"x,1,0,0,a,h,close,0,[]", "timestamp"},
		{"1,-1,0,0,a,h,close,0,[]", "processId"},
		{"1,1,0", "3 fields, the header has 9"},
		{`1,1,0,0,a,h,close,0,"[`, "quote"},
	} {
		_, report, rejected, err := readAll(BETH{}, Input{Name: "x"}, []byte(head+"1,1,0,0,a,h,close,0,[]\n"+tc.row+"\n"))
		if err != nil || report.Rejected != 1 || !strings.Contains(rejected, tc.why) || !strings.Contains(rejected, `"line":3`) {
			t.Errorf("%s: got %v, %d rejected, %s, want %q", tc.row, err, report.Rejected, rejected, tc.why)
		}
	}
	if _, _, _, err := readAll(BETH{}, Input{Name: "x"}, []byte("a,b\n1,2\n")); err == nil || !strings.Contains(err.Error(), `no column "timestamp"`) {
		t.Errorf("another header: got %v", err)
	}
}

// TestLIDDSGolden reads what sysdig printed of a capture in the two layouts of the
// dataset; the recordings themselves are not at hand.
func TestLIDDSGolden(t *testing.T) {
	for _, name := range []string{"2019.txt", "2021.sc"} {
		content, err := os.ReadFile(filepath.Join("testdata", "lidds", name))
		if err != nil {
			t.Fatal(err)
		}
		if !(LIDDS{}).Sniff(name, content) {
			t.Errorf("%s: not taken for LID-DS's", name)
		}
		golden(t, LIDDS{}, Input{Name: name}, content, "lidds/"+name+".rows")
	}
}

func TestLIDDSRejects(t *testing.T) {
	good := "1631209047761433877 33 9 apache2 9 close < res=0"
	for _, tc := range []struct{ line, why string }{
		{"1 2 3", "3 fields"},
		{"x 33 9 apache2 9 close < res=0", "time"},
		{"1631209047761433877 33 9 apache2 x close < res=0", "thread"},
		{"1631209047761433877 33 x apache2 9 close < res=0", "process"},
		{"1631209047761433877 33 9 apache2 9 close = res=0", "direction"},
	} {
		_, report, rejected, err := readAll(LIDDS{}, Input{Name: "x"}, []byte(good+"\n"+tc.line+"\n"))
		if err != nil || report.Rejected != 1 || !strings.Contains(rejected, tc.why) {
			t.Errorf("%s: got %v, %d rejected, %s, want %q", tc.line, err, report.Rejected, rejected, tc.why)
		}
	}
}

func FuzzCallLists(f *testing.F) {
	f.Add([]byte(adfaSample))
	f.Add([]byte(unmSample))
	f.Fuzz(func(t *testing.T, content []byte) {
		fuzzSource(t, ADFALD{}, content)
		fuzzSource(t, UNM{}, content)
	})
}

func FuzzBETH(f *testing.F) {
	head := strings.Join(bethColumns, ",") + ",threadId\n"
	f.Add([]byte(head + `1.5,1,0,0,a,h,openat,3,"[{'name': 'pathname', 'type': 'const char*', 'value': '/x'}, {'name': 'flags', 'type': 'int', 'value': 'O_RDONLY|O_CLOEXEC'}]",7` + "\n"))
	f.Add([]byte(head + `1.5,1,0,0,a,h,execve,0,"[{'name': 'pathname', 'type': 'const char*', 'value': '/x'}, {'name': 'argv', 'type': 'const char*const*', 'value': ['a', ""b'c""]}]",7` + "\n"))
	f.Add([]byte(head + `1.5,1,0,0,a,h,connect,0,"[{'name': 'addr', 'type': 'struct sockaddr*', 'value': {'sa_family': 'AF_INET', 'sin_port': '53', 'sin_addr': '10.100.0.2'}}]",7` + "\n"))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzSource(t, BETH{}, content) })
}

func FuzzLIDDS(f *testing.F) {
	for _, name := range []string{"2019.txt", "2021.sc"} {
		content, err := os.ReadFile(filepath.Join("testdata", "lidds", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) { fuzzSource(t, LIDDS{}, content) })
}
