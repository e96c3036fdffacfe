package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mayfly/record"
)

func testStatus(after time.Duration) record.Status {
	return record.Status{
		Time: time.Unix(1000, 0).Add(after), Running: after, Events: 100 * int64(after/time.Second),
		Calls: 1 << 20, Containers: 3, Read: 12_345_678, Seals: 2, Sealed: time.Unix(990, 0), OnDisk: time.Unix(999, 0),
		Produced: map[string]uint64{"events": 110, "sequences": 9}, Lost: map[string]uint64{"events": 7, "sequences": 0, "processes": 5},
		LeftOut: map[string]uint64{"events": 3},
		Rings:   []record.RingStatus{{Name: "events", Bytes: 512, Size: 4096}},
	}
}

func TestNotifier(t *testing.T) {
	var sent []string
	n := &notifier{send: func(s string) { sent = append(sent, s) }, watchdog: 3 * time.Second}
	n.ready()
	for second := range 12 {
		n.watch(testStatus(time.Duration(second) * time.Second))
	}
	n.stopping()
	const line = "STATUS=3 containers, 0 events, 1048576 calls, lost 12 of 119 records, 12.3 MB read, 2 times sealed"
	want := []string{"READY=1\nSTATUS=recording", "WATCHDOG=1\n" + line, "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1",
		strings.Replace(line, "0 events", "1000 events", 1), "STOPPING=1\nSTATUS=writing what is left"}
	if !slices.Equal(sent, want) {
		t.Errorf("got %q\nwant %q", sent, want)
	}
}

func TestNotifySocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000000")
	n := newNotifier()
	if n.watchdog != 10*time.Second {
		t.Errorf("watchdog: got %v, want a third of 30 s", n.watchdog)
	}
	n.ready()
	b := make([]byte, 100)
	if size, err := l.Read(b); err != nil || string(b[:size]) != "READY=1\nSTATUS=recording" {
		t.Errorf("got %q, %v", b[:size], err)
	}
}

func TestStatusLine(t *testing.T) {
	var out bytes.Buffer
	l := &statusLine{w: &out}
	_, _ = io.WriteString(l, "before\n")
	l.watch(testStatus(2 * time.Second))
	_, _ = io.WriteString(l, "between\n")
	l.watch(testStatus(3 * time.Second))
	l.end()
	l.end()
	first := "mayfly: 2s  100 events/s  524288 calls/s  3 containers  12 lost  12.3 MB"
	want := "before\n" + clearLine + first + clearLine + "between\n" + first +
		clearLine + "mayfly: 3s  100 events/s  0 calls/s  3 containers  12 lost  12.3 MB" + clearLine
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestListenAddress(t *testing.T) {
	for given, want := range map[string]string{
		":9477": "127.0.0.1:9477", "0.0.0.0:9477": "0.0.0.0:9477", "[::1]:9477": "[::1]:9477", "127.0.0.1:65535": "127.0.0.1:65535",
		"": "", "9477": "", ":": "", ":0": "", ":80": "", ":65536": "", ":http": "", "a:b:c": "",
	} {
		if got, err := listenAddress(given); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", given, got, err, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	m := newRecordMetrics()
	m.watch(testStatus(time.Second))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	stop, err := m.serve(address)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, err := m.serve(address); err == nil {
		t.Error("the same port twice: no error")
	}
	get := func(path string) (int, string) {
		r, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(body)
	}
	if status, _ := get("/"); status != http.StatusNotFound {
		t.Errorf("/: got status %d, want 404", status)
	}
	if status, _ := get("/healthz"); status != http.StatusServiceUnavailable {
		t.Errorf("/healthz with a status of long ago: got %d, want 503", status)
	}
	_, served := get("/metrics")
	defer func() {
		m.watch(record.Status{Time: time.Now()})
		if status, _ := get("/healthz"); status != http.StatusOK {
			t.Errorf("/healthz: got %d, want 200", status)
		}
	}()
	file := filepath.Join(t.TempDir(), "mayfly.prom")
	m.textfile(file, func(err error) { t.Error(err) })()
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for from, text := range map[string]string{"served": served, "file": string(written)} {
		for _, line := range []string{
			`mayfly_records_produced_total{class="events"} 110`, `mayfly_records_lost_total{class="events"} 7`,
			`mayfly_records_lost_total{class="sequences"} 0`, `mayfly_records_lost_total{class="processes"} 5`,
			`mayfly_records_deselected_total{class="events"} 3`, `mayfly_records_deselected_total{class="sequences"} 0`, `mayfly_rows_written_total{table="events"} 100`,
			`mayfly_calls_written_total 1.048576e+06`, `mayfly_ring_bytes{ring="events"} 512`, `mayfly_seals_total 2`,
			`mayfly_last_seal_timestamp_seconds 990`, `mayfly_last_acknowledged_timestamp_seconds 999`, `mayfly_reader_timestamp_seconds 1001`,
		} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("%s: no line %s\n%s", from, line, text)
			}
		}
		if !strings.Contains(text, "process_cpu_seconds_total") || !strings.Contains(text, "mayfly_build_info{") {
			t.Errorf("%s: nothing of the process or the build\n%s", from, text)
		}
	}
	if problems, err := m.registry.Gather(); err != nil || len(problems) == 0 {
		t.Errorf("gather: %v", err)
	}
}
