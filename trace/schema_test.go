package trace

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The schema on disk is a promise: a change of this golden is a change of
// SchemaVersion, but for a new column.
func TestSchemaGolden(t *testing.T) {
	var b strings.Builder
	for _, s := range []*parquet.Schema{parquet.SchemaOf(new(Event)), parquet.SchemaOf(new(Sequence)),
		parquet.SchemaOf(new(Process)), parquet.SchemaOf(new(Container)), parquet.SchemaOf(new(Loss))} {
		fmt.Fprintln(&b, s)
	}
	for _, table := range Tables() {
		fmt.Fprintf(&b, "%s %s\n", table, ArrowSchema(table))
	}
	golden(t, "schema.txt", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check(t, name, got, string(want))
}

// FORMAT.md names every column of every table, in order, and every metadata key.
func TestFormatPage(t *testing.T) {
	page, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range Tables() {
		_, section, ok := strings.Cut(string(page), "\n### "+string(table)+"\n")
		if !ok {
			t.Errorf("FORMAT.md: no section %q", table)
			continue
		}
		section, _, _ = strings.Cut(section, "\n##")
		var got, want []string
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(section, -1) {
			got = append(got, m[1]+" "+strings.TrimSpace(m[2]))
		}
		for _, f := range ArrowSchema(table).Fields() {
			name := f.Name + " " + typeName(f.Type)
			if f.Nullable {
				name += ", null"
			}
			want = append(want, name)
		}
		check(t, string(table), got, want)
	}
	for _, pair := range (Meta{}).pairs(Events) {
		if !strings.Contains(string(page), "`"+pair[0]+"`") {
			t.Errorf("FORMAT.md: no metadata key %q", pair[0])
		}
	}
}
