package main

import (
	"fmt"
	"path/filepath"

	"mayfly/trace"
)

// checkTraces refuses a file that is given twice, by whatever names: its rows would
// count twice, and all of its windows would look strange.
func checkTraces(traces []*trace.Trace) error {
	seen := map[string]string{}
	for _, t := range traces {
		for _, table := range trace.Tables() {
			for _, f := range t.Files(table) {
				path, err := filepath.EvalSymlinks(f.Path)
				if err == nil {
					path, err = filepath.Abs(path)
				}
				if err != nil {
					return err
				}
				if other, ok := seen[path]; ok {
					return fmt.Errorf("%s: is given twice, as %s too", f.Path, other)
				}
				seen[path] = f.Path
			}
		}
	}
	return nil
}
