package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// Output is one file that WriteFiles wrote.
type Output struct {
	Workload string `json:"workload"`
	Target   string `json:"target"`
	Path     string `json:"path"`
	Bytes    int    `json:"bytes"`
	text     []byte
}

// Render writes every set in every target, in memory. Paths are below dir:
// TARGET/NAME with the target's extension, NAME as FileName has it. What a target
// cannot say comes back as refusals; other errors end it.
func Render(dir string, sets []*Set, names []string) (files []Output, refusals []*Refusal, err error) {
	seen := map[string]string{}
	for _, s := range sets {
		for _, name := range names {
			i := slices.IndexFunc(targets, func(t target) bool { return t.name == name })
			if i < 0 {
				return nil, nil, fmt.Errorf("target %q: want one of %v", name, Targets())
			}
			text, err := targets[i].render(s)
			var refusal *Refusal
			if errors.As(err, &refusal) {
				refusals = refuse(refusals, refusal, name)
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			path := filepath.Join(dir, name, FileName(s.Workload)+targets[i].ext)
			if other, ok := seen[path]; ok {
				return nil, nil, fmt.Errorf("workloads %q and %q: both would be %s", other, s.Workload, path)
			}
			seen[path] = s.Workload
			files = append(files, Output{s.Workload, name, path, len(text), text})
		}
	}
	return files, refusals, nil
}

// refuse adds a target's refusal; targets of one workload that are refused for one
// reason are told of together.
func refuse(all []*Refusal, r *Refusal, name string) []*Refusal {
	for _, other := range all {
		if names, ok := strings.CutSuffix(other.Reasons[0], ": "+r.Reasons[0]); ok && other.Workload == r.Workload {
			other.Reasons[0] = names + ", " + name + ": " + r.Reasons[0]
			return all
		}
	}
	return append(all, &Refusal{r.Workload, []string{name + ": " + r.Reasons[0]}})
}

// WriteFiles writes what Render gave. Each file appears by rename, when complete;
// when one cannot be written, those files and folders that did not exist before are
// removed.
func WriteFiles(files []Output) (err error) {
	var fresh []string
	defer func() {
		if err != nil {
			for _, path := range slices.Backward(fresh) {
				_ = os.Remove(path) // the first error is the one to tell
			}
		}
	}()
	for _, f := range files {
		fresh = append(fresh, missingFolders(filepath.Dir(f.Path))...)
		if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
			return fmt.Errorf("rules: %w", err)
		}
		if _, err := os.Lstat(f.Path); err != nil {
			fresh = append(fresh, f.Path)
		}
		if err := renameio.WriteFile(f.Path, f.text, 0o644); err != nil {
			return fmt.Errorf("rules: %w", err)
		}
	}
	return nil
}

// missingFolders lists dir and the folders above it that are not there, the
// uppermost first.
func missingFolders(dir string) (missing []string) {
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			slices.Reverse(missing)
			return missing
		}
		missing = append(missing, dir)
		dir = filepath.Dir(dir)
	}
}
