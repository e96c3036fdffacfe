package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // the driver
)

type options struct {
	output, memory string
	threads        int
}

// tables are the tables of a trace.
var tables = []string{"events", "sequences", "processes", "containers", "losses"}

// query answers one question.
func query(ctx context.Context, question string, paths []string, opts options, out io.Writer) error {
	files := map[string][]string{} // by view
	for _, path := range paths {
		if err := collect(path, files); err != nil {
			return err
		}
	}
	db, err := sql.Open("duckdb", "?autoinstall_known_extensions=false&autoload_known_extensions=false")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it lives in memory
	conn, err := db.Conn(ctx)         // settings are of a connection's database; one is enough
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := prepare(ctx, conn, files, opts); err != nil {
		return err
	}
	if err := onlySelect(ctx, conn, question); err != nil {
		return err
	}
	rows, err := conn.QueryContext(ctx, question)
	if err != nil {
		if strings.Contains(err.Error(), "Table with name") {
			views := make([]string, 0, len(files))
			for view := range files {
				views = append(views, view)
			}
			slices.Sort(views)
			return fmt.Errorf("%w (views here: %s)", err, strings.Join(views, ", "))
		}
		return err
	}
	defer func() { _ = rows.Close() }()
	w := bufio.NewWriter(out)
	err = write(rows, opts.output, w)
	return errors.Join(err, w.Flush())
}

// prepare makes the views, and then shuts everything else: other files, the
// network, extensions, and the settings themselves.
func prepare(ctx context.Context, conn *sql.Conn, files map[string][]string, opts options) error {
	var all []string
	for _, list := range files {
		all = append(all, list...)
	}
	slices.Sort(all)
	steps := []string{
		"SET memory_limit=" + quote(opts.memory),
		"SET temp_directory=''",
		"SET autoinstall_known_extensions=false",
		"SET autoload_known_extensions=false",
		"SET allow_community_extensions=false",
		"SET allow_unsigned_extensions=false",
		"SET enable_progress_bar=false",
		"SET TimeZone='UTC'",
	}
	if opts.threads > 0 {
		steps = append(steps, fmt.Sprintf("SET threads=%d", opts.threads))
	}
	for _, view := range sortedKeys(files) {
		steps = append(steps, fmt.Sprintf("CREATE VIEW %s AS SELECT * FROM %s", view, scan(view, files[view])))
	}
	steps = append(steps, "SET allowed_paths="+list(all), "SET enable_external_access=false", "SET lock_configuration=true")
	for _, step := range steps {
		if _, err := conn.ExecContext(ctx, step); err != nil {
			if strings.Contains(step, "allow_unsigned_extensions") || strings.Contains(step, "TimeZone") {
				continue // set when the database begins; off by default. TimeZone is an extension's
			}
			return fmt.Errorf("%s: %w", step[:min(len(step), 60)], err)
		}
	}
	return nil
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func scan(view string, files []string) string {
	switch view {
	case "features":
		return "read_parquet(" + list(files) + ", union_by_name=true)"
	case "findings":
		return "read_json(" + list(files) + ", format='newline_delimited', union_by_name=true)"
	}
	return "read_parquet(" + list(files) + ", union_by_name=true, hive_partitioning=true, hive_types_autocast=true)"
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func list(files []string) string {
	quoted := make([]string, len(files))
	for i, f := range files {
		quoted[i] = quote(f)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// onlySelect refuses all but one SELECT: what writes into the allowed files would
// be allowed otherwise, and the driver runs several statements in a row.
func onlySelect(ctx context.Context, conn *sql.Conn, question string) error {
	var failed bool
	var message sql.NullString
	var statements int
	row := conn.QueryRowContext(ctx, `SELECT (j->>'error')::BOOLEAN, j->>'error_message', coalesce(json_array_length(j, '$.statements'), 0)
		FROM (SELECT json_serialize_sql($1::VARCHAR) AS j)`, question)
	if err := row.Scan(&failed, &message, &statements); err != nil {
		return err
	}
	switch {
	case failed && strings.Contains(message.String, "Only SELECT"):
		return errors.New("only SELECT: nothing is written, attached, installed or set here")
	case failed:
		return errors.New(message.String)
	case statements != 1:
		return fmt.Errorf("want one statement, got %d", statements)
	}
	return nil
}

// collect finds out what a path holds and notes its files under their views.
func collect(path string, files map[string][]string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return collectFile(path, files)
	}
	found := false
	for _, table := range tables {
		root := filepath.Join(path, table)
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && name == root {
				return fs.SkipAll
			}
			if err != nil {
				return err
			}
			base := d.Name()
			if !d.Type().IsRegular() || strings.HasPrefix(base, ".") || !strings.HasSuffix(base, ".parquet") {
				return nil
			}
			found = true
			return add(files, table, name)
		})
		if err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%s: not a trace: no Parquet file below %s", path, strings.Join(tables, ", "))
	}
	return nil
}

// add notes a file by its absolute name, which must mean itself to DuckDB.
func add(files map[string][]string, view, name string) error {
	name, err := filepath.Abs(name)
	if err == nil {
		name, err = filepath.EvalSymlinks(name)
	}
	if err != nil {
		return err
	}
	if strings.ContainsAny(name, "*?[]{}") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '\ufffd' }) {
		return fmt.Errorf("%q: a name with *, ?, brackets or control characters cannot be queried: DuckDB takes it for a pattern", name)
	}
	files[view] = append(files[view], name)
	return nil
}

// collectFile tells Parquet of a trace and of features, and findings, by their
// begin and their place.
func collectFile(path string, files map[string][]string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil {
		return fmt.Errorf("%s: neither Parquet nor JSON lines: %w", path, err)
	}
	switch {
	case string(head) == "PAR1":
		view, err := parquetView(f)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return add(files, view, path)
	case head[0] == '{':
		return add(files, "findings", path)
	}
	return fmt.Errorf("%s: neither Parquet nor JSON lines", path)
}

// parquetView looks for mayfly's keys in the footer, whose texts stand there as
// they are.
func parquetView(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	footer := make([]byte, min(info.Size(), 8<<20))
	if _, err := f.ReadAt(footer, info.Size()-int64(len(footer))); err != nil {
		return "", err
	}
	text := string(footer)
	if strings.Contains(text, "mayfly.features.schema") {
		return "features", nil
	}
	if _, rest, ok := strings.Cut(text, "mayfly.table"); ok {
		for _, table := range tables {
			if strings.Contains(rest[:min(len(rest), 32)], table) {
				return table, nil
			}
		}
	}
	return "", errors.New("Parquet that mayfly did not write: want a trace or features")
}
