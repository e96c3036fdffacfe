package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const demo = "../datasets/demo/trace"

func ask(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(context.Background(), args, &out, &errs)
	return out.String(), errs.String(), status
}

func TestViews(t *testing.T) {
	dir := t.TempDir()
	features, findings := filepath.Join(dir, "features.parquet"), filepath.Join(dir, "it's.jsonl")
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("COPY (SELECT 'web' AS workload, 7 AS n_calls) TO " + quote(features) + " (FORMAT parquet, KV_METADATA {'mayfly.features.schema': '1'})"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(findings, []byte(`{"rule":"strange","output_fields":{"container.id":"aa"}}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for question, want := range map[string]string{
		"SELECT count(*) > 100 AS many FROM events":                                         "many\ntrue\n",
		"SELECT count(DISTINCT container_id) > 1 AS x, min(host) != '' AS y FROM sequences": "x,y\ntrue,true\n",
		"SELECT count(*) > 0 AS c FROM containers":                                          "c\ntrue\n",
		"SELECT workload, n_calls FROM features":                                            "workload,n_calls\nweb,7\n",
		"SELECT rule, output_fields.\"container.id\" AS id FROM findings":                   "rule,id\nstrange,aa\n",
		"FROM features SELECT n_calls -- a comment; and a semicolon":                        "n_calls\n7\n",
	} {
		got, errs, status := ask(t, "-o", "csv", question, demo, features, findings)
		if status != 0 || got != want {
			t.Errorf("%s: status %d, %s, got %q, want %q", question, status, errs, got, want)
		}
	}
	event := filepath.Join(demo, "events")
	var one string
	_ = filepath.WalkDir(event, func(p string, _ os.DirEntry, _ error) error {
		if strings.HasSuffix(p, ".parquet") {
			one = p
		}
		return nil
	})
	if got, errs, status := ask(t, "-o", "csv", "SELECT count(*) > 0 AS x FROM events", one); status != 0 || got != "x\ntrue\n" {
		t.Errorf("one file: %d %s %s", status, got, errs)
	}
}

func TestFormats(t *testing.T) {
	question := "SELECT time_ns, kind, argv, uid, port, path FROM events WHERE kind = 'exec' ORDER BY time_ns, pid LIMIT 2"
	text, errs, status := ask(t, "-o", "json", question, demo)
	var objects []map[string]any
	if err := json.Unmarshal([]byte(text), &objects); err != nil || status != 0 || len(objects) != 2 || objects[0]["kind"] != "exec" || objects[0]["port"] != nil {
		t.Errorf("json: %v, %s, %s", err, errs, text)
	}
	if _, ok := objects[0]["argv"].([]any); !ok || !strings.HasSuffix(objects[0]["time_ns"].(string), "Z") {
		t.Errorf("json: argv %v, time %v", objects[0]["argv"], objects[0]["time_ns"])
	}
	text, _, _ = ask(t, "-o", "csv", question, demo)
	if rows, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil || len(rows) != 3 || rows[0][1] != "kind" {
		t.Errorf("csv: %v, %s", err, text)
	}
	// Text that a spreadsheet would take for a formula is text; numbers stay numbers.
	text, errs, status = ask(t, "-o", "csv", `SELECT '=cmd|'' /C calc''!A0' AS a, '-1+1' AS b, '@x' AS c, chr(9) || '=1' AS d, '+1' AS e, 'a,"=1' AS f, -1 AS g, '/bin/sh' AS h`, demo)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if want := []string{"'=cmd|' /C calc'!A0", "'-1+1", "'@x", "'\t=1", "'+1", `a,"=1`, "-1", "/bin/sh"}; err != nil || status != 0 || len(rows) != 2 || !slices.Equal(rows[1], want) {
		t.Errorf("csv of formulas: %v, %s, got %q, want %q", err, errs, rows, want)
	}
	if text, _, _ = ask(t, question, demo); strings.Count(text, "\n") != 3 || !strings.HasPrefix(text, "time_ns") {
		t.Errorf("table: %s", text)
	}
	if text, _, _ = ask(t, "SELECT chr(27) || '[31m' || chr(10) AS x FROM events LIMIT 1", demo); strings.ContainsRune(text, 27) || strings.Count(text, "\n") != 2 {
		t.Errorf("control characters reach the terminal: %q", text)
	}
	if text, _, status = ask(t, "-o", "json", "SELECT 1 AS x FROM events WHERE false", demo); status != 0 || strings.TrimSpace(text) != "[\n]" {
		t.Errorf("no rows: %q", text)
	}
}

// TestHostile: SQL of anybody reads no other file, writes none, and opens nothing.
func TestHostile(t *testing.T) {
	dir := t.TempDir()
	secret, out := filepath.Join(dir, "secret.csv"), filepath.Join(dir, "out.csv")
	if err := os.WriteFile(secret, []byte("a\nsecret-text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(dir, "trace")
	if err := os.CopyFS(trace, os.DirFS(demo)); err != nil {
		t.Fatal(err)
	}
	before := fingerprint(t, trace)
	s, o := quote(secret), quote(out)
	for _, question := range []string{
		"SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_csv(" + s + ")", "SELECT * FROM " + s, "FROM " + s,
		"SELECT * FROM read_text(" + s + ")", "SELECT * FROM read_blob(" + s + ")", "SELECT * FROM read_json(" + s + ")",
		"SELECT * FROM read_parquet(" + s + ")", "SELECT * FROM sniff_csv(" + s + ")", "SELECT * FROM glob('/*')",
		"SELECT * FROM glob(" + quote(dir+"/**") + ")", "SELECT * FROM parquet_metadata('/etc/passwd')",
		"SELECT * FROM read_csv('https://127.0.0.1:1/x.csv')", "SELECT * FROM read_csv('s3://bucket/x.csv')",
		"SELECT * FROM read_csv(" + quote(trace+"/../secret.csv") + ")", "SELECT * FROM read_text('/proc/self/environ')",
		"COPY (SELECT 1) TO " + o, "COPY events TO " + o, "EXPORT DATABASE " + quote(filepath.Join(dir, "export")),
		"ATTACH " + quote(filepath.Join(dir, "x.db")), "INSTALL httpfs", "LOAD httpfs", "FORCE INSTALL httpfs FROM 'http://127.0.0.1:1'",
		"SET enable_external_access=true", "SET allowed_directories=['/']", "RESET lock_configuration", "PRAGMA enable_external_access=true",
		"SELECT 1; COPY (SELECT 1) TO " + o, "COPY (SELECT 1) TO " + o + "; SELECT 1", "SELECT 1; SELECT 2",
		"SELECT * FROM query('COPY (SELECT 1) TO " + strings.ReplaceAll(o, "'", "''") + "')",
		"CREATE TABLE x AS SELECT 1", "CREATE SECRET (TYPE s3)", "CALL enable_logging()", "EXPLAIN ANALYZE SELECT 1", "DROP VIEW events",
		"CREATE MACRO f(a) AS a", "VACUUM", "CHECKPOINT", "USE x", "PREPARE p AS SELECT 1", "BEGIN",
		"SELECT getenv('PATH')", "", ";", "SELECT", "\x00",
	} {
		got, errs, status := ask(t, question, trace)
		if status == 0 || errs == "" || strings.Contains(got, "secret-text") || strings.Contains(got, "root:") {
			t.Errorf("%s: status %d, stdout %q, stderr %q", question, status, got, errs)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 || fingerprint(t, trace) != before {
		t.Errorf("the folder has changed: %v", entries)
	}
}

// fingerprint tells a folder's files, sizes and times.
func fingerprint(t *testing.T, dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			b.WriteString(p + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrongUse(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "x.txt")
	if err := os.WriteFile(bad, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	star := filepath.Join(dir, "a*.jsonl")
	if err := os.WriteFile(star, []byte(`{"rule":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "want SQL and at least one PATH"},
		{[]string{"-o", "xml", "SELECT 1", demo}, 2, `-o: got "xml"`},
		{[]string{"SELECT 1", filepath.Join(dir, "none")}, 1, "no such file"},
		{[]string{"SELECT 1", dir}, 1, "not a trace"},
		{[]string{"SELECT 1", bad}, 1, "neither Parquet nor JSON lines"},
		{[]string{"SELECT 1", star}, 1, "cannot be queried"},
		{[]string{"SELECT * FROM nosuch", demo}, 1, "views here: containers, events"},
		{[]string{"--memory", "much", "SELECT 1", demo}, 1, "memory"},
	} {
		_, errs, status := ask(t, tc.args...)
		if status != tc.status || !strings.HasPrefix(errs, "mayfly: query: ") || !strings.Contains(errs, tc.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: status %d, %q, want %d, %q", tc.args, status, errs, tc.status, tc.want)
		}
	}
	if out, _, status := ask(t, "-h"); status != 0 || !strings.Contains(out, "usage:") {
		t.Errorf("-h: %d %s", status, out)
	}
}
