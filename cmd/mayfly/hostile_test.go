package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/html"

	"mayfly/feature"
	"mayfly/profile"
	"mayfly/rule/hostile"
	"mayfly/trace"
)

// TestHostileNames runs every command that prints or writes what containers are called
// and do over a recording in which an attacker chose all of it: names of containers,
// images, labels, programs, arguments, files, sockets. A terminal gets one line for
// each, of what can be seen; JSON, YAML and HTML are what they are of a harmless
// recording, with other text.
func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	harmless := make([]string, 0, 400)
	for i := range 400 {
		harmless = append(harmless, fmt.Sprintf("/srv/name-%d", i))
	}
	bad := hostileTexts()
	for name, texts := range map[string][]string{"plain": harmless[:len(bad)], "bad": bad} {
		hostileTrace(t, at(name), texts)
		hostileTrace(t, at(name+"-attack"), append(slices.Clone(texts), texts[len(texts)/2:]...))
	}
	labels := at("labels.csv")
	if err := os.WriteFile(labels, []byte("container,from,to,attack\n"+webID(2)+",2023-11-14T22:14:05Z,2023-11-14T22:14:07Z,\"=cmd|' /C calc'!A0 <script>\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	elements := map[string]bool{}
	for _, name := range []string{"plain", "bad"} {
		in, attack := at(name), at(name+"-attack")
		command := func(args ...string) []byte {
			t.Helper()
			var out, errs bytes.Buffer
			status := run(t.Context(), args, strings.NewReader(""), &out, &errs)
			if status != 0 && status != statusPartial && status != statusFailure {
				t.Fatalf("%s: mayfly %s: exit status %d: %s", name, strings.Join(args, " "), status, errs.String())
			}
			canBeSeen(t, name, args, errs.Bytes())
			if out.Len()+errs.Len() == 0 {
				t.Logf("%s: mayfly %s %s: nothing was said", name, args[0], args[1])
			}
			if status == statusFailure && out.Len() == 0 {
				t.Errorf("%s: mayfly %s: %s", name, strings.Join(args, " "), errs.String())
			}
			return out.Bytes()
		}
		shown := func(args ...string) { t.Helper(); canBeSeen(t, name, args, command(args...)) }
		jsonLines := func(args ...string) {
			t.Helper()
			isJSON(t, args, command(args...))
		}
		o := func(base string) string { return at(name + "-" + base) }
		shown("inspect", in)
		shown("ingest", in, "-o", o("learned.parquet"))
		shown("ingest", attack, "-o", o("attack.parquet"))
		shown("train", o("learned.parquet"), "-o", o("d.mayfly"))
		shown("profile", "build", in, "-o", o("p.json"))
		shown("profile", "build", attack, "-o", o("q.json"))
		shown("profile", "show", o("p.json"))
		shown("profile", "diff", o("p.json"), o("q.json"))
		jsonLines("profile", "diff", o("p.json"), o("q.json"), "-o", "json")
		for _, format := range []string{"table", "ndjson", "ocsf", "sarif"} {
			args := []string{"replay", o("d.mayfly"), attack, "--format", format, "--report", o(format + ".html")}
			if format == "table" {
				shown(args...)
				continue
			}
			out := command(args...)
			isJSON(t, args, out)
			if format != "ndjson" {
				continue
			}
			if err := os.WriteFile(o("findings"), out, 0o600); err != nil {
				t.Fatal(err)
			}
			line, _, _ := bytes.Cut(out, []byte("\n"))
			var finding struct{ Mayfly struct{ ID string } }
			if err := json.Unmarshal(line, &finding); err != nil || finding.Mayfly.ID == "" {
				t.Fatalf("%s: no finding: %v %.200s", name, err, out)
			}
			shown("explain", finding.Mayfly.ID, "--findings", o("findings"), "--detector", o("d.mayfly"))
		}
		shown("replay", o("d.mayfly"), attack, "--plan", o("plan"), "--format", "table")
		shown("rules", o("p.json"), "-o", o("rules"), "--target", "all", "--force", "--explain", "--findings", o("findings"))
		shown("rules", o("p.json"), "-o", o("rules"), "--force", "--test", attack, "--labels", labels)
		shown("rules", "test", o("rules"), attack, "--labels", labels)
		jsonLines("rules", "test", o("rules"), attack, "--labels", labels, "-o", "json")
		shown("evaluate", o("d.mayfly"), o("attack.parquet"), "--labels", labels, "--report", o("evaluate.html"))
		jsonLines("evaluate", o("d.mayfly"), o("attack.parquet"), "--labels", labels, "--format", "json")
		files := 0
		for path, text := range filesBelow(t, at(""), name+"-") {
			switch filepath.Ext(path) {
			case ".html":
				if name == "bad" && !bytes.Contains(text, []byte("&lt;script&gt;x&lt;/script&gt;")) {
					t.Errorf("%s: the names are not on it", path)
				}
				for element := range markup(t, text) {
					if name == "plain" {
						elements[element] = true
					} else if !elements[element] {
						t.Errorf("%s: %s, which no page of a harmless recording has", path, element)
					}
				}
			case ".yaml", ".yml":
				var doc any
				dec := yaml.NewDecoder(bytes.NewReader(text))
				if err := dec.Decode(&doc); err != nil {
					t.Errorf("%s: %v", path, err)
				}
				canBeSeen(t, path, nil, text)
			case ".json":
				if !json.Valid(text) {
					t.Errorf("%s: not JSON", path)
				}
			case ".apparmor", ".sh", ".md", ".txt":
				canBeSeen(t, path, nil, text)
			default:
				continue
			}
			files++
		}
		if files < 10 {
			t.Errorf("%s: only %d files were looked at", name, files)
		}
	}
}

// hostileTexts are hostile values as a trace has them, UTF-8 and 200 bytes at most. The
// first ones name the containers, their images' labels and so on.
func hostileTexts() (all []string) {
	for i := range 10 {
		all = append(all, fmt.Sprintf("\x1b[2J\u202e%d<script>x</script>\"onload=\"\n=cmd|' /C calc'!A0\t\r\u009b31m%%s", i))
	}
	for i, value := range hostile.Values() {
		value = profile.NewItem(profile.Exec, value).Value
		if i%3 == 0 && len(value) <= 200 {
			all = append(all, value)
		}
	}
	return all
}

// hostileTrace writes a minute of three containers that are called by texts and do
// something with each; in second 45 a shell comes out of the third.
func hostileTrace(t *testing.T, dir string, texts []string) {
	t.Helper()
	events, sequences, containers := webTrace(60, 45)
	for i := range containers {
		c := &containers[i]
		c.Name, c.Labels = texts[i], []string{"com.docker.compose.project=" + texts[3], "com.docker.compose.service=" + texts[4], texts[5]}
		c.Entrypoint, c.Cmd, c.User, c.Mounts = []string{texts[6]}, []string{texts[7]}, texts[8], []string{texts[9] + ":/data:rw"}
	}
	for i, text := range texts {
		path := text
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		base := trace.Event{TimeNS: traceStartNS + int64(i%60)*1e9 + int64(3e8+i), ContainerID: webID(i % 3), CgroupID: uint64(i%3 + 1),
			PID: int32(1000 + i), TID: int32(1000 + i), Comm: text[:min(15, len(text))], Exe: path, Ret: new(int64(0))}
		base.Comm = strings.ToValidUTF8(base.Comm, "")
		exec, read, write, unix := base, base, base, base
		exec.Kind, exec.Path, exec.Argv, exec.Cwd, exec.ExeOrigin = string(trace.Exec), path, []string{text, text}, path, trace.OriginWritten
		read.Kind, read.Path, read.Flags = string(trace.FileOpen), "/etc"+path, new(int64(0))
		write.Kind, write.Path, write.Flags = string(trace.FileOpen), "/var"+path, new(int64(1))
		unix.Kind, unix.Family, unix.Addr = string(trace.Connect), "unix", path
		events = append(events, exec, read, write, unix)
	}
	w, err := trace.NewWriter(dir, trace.Meta{Host: "host-1", Arch: "amd64", Kernel: "6.1.0", Recorder: "test", Source: "test"}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Events(events), w.Sequences(sequences), w.Containers(containers), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// canBeSeen complains of what a terminal would do something with.
func canBeSeen(t *testing.T, name string, args []string, out []byte) {
	t.Helper()
	if i := bytes.IndexFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%s %s: a character that is not seen: %q", name, strings.Join(args, " "), out[max(0, i-80):min(len(out), i+40)])
	}
}

// isJSON complains of what is no JSON, a document or one a line.
func isJSON(t *testing.T, args []string, out []byte) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(out))
	n := 0
	for dec.More() {
		var doc any
		if err := dec.Decode(&doc); err != nil {
			t.Errorf("mayfly %s: %v", strings.Join(args, " "), err)
			return
		}
		n++
	}
	if n == 0 {
		t.Errorf("mayfly %s: no JSON", strings.Join(args, " "))
	}
}

// filesBelow reads the files of a folder whose first part has a prefix.
func filesBelow(t *testing.T, dir, prefix string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if rel, _ := filepath.Rel(dir, path); strings.HasPrefix(rel, prefix) && !strings.HasPrefix(rel, prefix+"attack") {
			all[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// markup returns the elements of a page with the names of their attributes, and what
// their links lead to, as a browser's parser has them.
func markup(t *testing.T, page []byte) map[string]bool {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			seen["<"+n.Data+">"] = true
			for _, a := range n.Attr {
				what := "<" + n.Data + " " + a.Key + ">"
				if a.Key == "href" || a.Key == "src" {
					scheme, _, _ := strings.Cut(a.Val, ":")
					what += " " + scheme[:min(len(scheme), 8)]
					if strings.HasPrefix(a.Val, "#") {
						what = "<" + n.Data + " " + a.Key + "> #"
					}
				}
				seen[what] = true
			}
		case html.CommentNode:
			seen["<!-- -->"] = true
		}
	}
	return seen
}

// TestHostileLabels: a label that may be written is read back as it was, whatever a
// spreadsheet or a terminal would make of its name.
func TestHostileLabels(t *testing.T) {
	written := 0
	for _, value := range hostile.Values() {
		want := feature.Label{Container: "c1", FromNS: 1e18, ToNS: 1e18 + 5, Attack: value}
		var text bytes.Buffer
		if feature.WriteLabels(&text, []feature.Label{want}) != nil {
			continue // not plain text
		}
		written++
		got, err := feature.ReadLabels(&text, "labels.csv")
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%q: got %+v, %v", value, got, err)
		}
	}
	if written < 100 {
		t.Errorf("only %d values could be written", written)
	}
}
