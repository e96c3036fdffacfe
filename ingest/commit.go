package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// A batch comes into a trace all at once or not at all. Its files are completed
// in <trace>/.ingest/stage; then the plan of what becomes of them is written to
// <trace>/.ingest/commit.json; then they are renamed and the ledger gets its
// line. Who finds a plan carries it out: each step may be done twice. Who finds
// a stage without a plan throws it away.
const (
	workFolder  = ".ingest"
	stageFolder = "stage"
	planName    = "commit.json"
)

// plan is commit.json.
type plan struct {
	Batch   takenBatch
	Renames []rename // below the trace; From below the stage
}

type rename struct{ From, To string }

// recoverTrace finishes or throws away what a killed ingest left in a trace.
func recoverTrace(dir string, l *ledger) error {
	content, err := os.ReadFile(filepath.Join(dir, workFolder, planName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.RemoveAll(filepath.Join(dir, workFolder))
	case err != nil:
		return err
	}
	var p plan
	if err := json.Unmarshal(content, &p); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, workFolder, planName), err)
	}
	before := l.batches
	if err := p.carryOut(dir, l); err != nil {
		return err
	}
	if l.batches > before { // it was not in the file yet
		l.addBatch(&p.Batch)
	}
	return nil
}

// commit brings the files of the stage into the trace. l knows them already.
// cut is where tests cut the power; nil does not.
func commit(dir string, l *ledger, files []takenFile, taken []takenObject, cut func() error) error {
	p := plan{Batch: takenBatch{Batch: l.batches + 1, Number: l.number, Files: files, Objects: taken}}
	stage := filepath.Join(dir, workFolder, stageFolder)
	err := filepath.WalkDir(stage, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		from, err := filepath.Rel(stage, path)
		if err != nil {
			return err
		}
		to, number, err := finalName(dir, from, l.number, p.Batch.Batch)
		p.Batch.Number = max(p.Batch.Number, number+1)
		p.Renames = append(p.Renames, rename{from, to})
		return err
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, workFolder, planName), text, 0o600); err != nil {
		return err
	}
	if err := syncFolder(filepath.Join(dir, workFolder)); err != nil {
		return err
	}
	if cut != nil {
		if err := cut(); err != nil {
			return err
		}
	}
	return p.carryOut(dir, l)
}

var numberedFile = regexp.MustCompile(`^(.*-)([0-9]+)(\.parquet)$`)

// finalName is where a file of the stage goes: its number counts on from the
// batches before, past files that are there already.
func finalName(dir, from string, first, batch int64) (to string, number int64, err error) {
	m := numberedFile.FindStringSubmatch(from)
	if m == nil { // the quarantine
		ext := filepath.Ext(from)
		return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(from, ext), batch, ext), first - 1, nil
	}
	n, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil {
		return "", 0, err
	}
	for number = first + n; ; number++ {
		to = fmt.Sprintf("%s%d%s", m[1], number, m[3])
		_, err := os.Lstat(filepath.Join(dir, to))
		if errors.Is(err, fs.ErrNotExist) {
			return to, number, nil
		}
		if err != nil {
			return "", 0, err
		}
	}
}

func (p *plan) carryOut(dir string, l *ledger) error {
	folders := map[string]struct{}{}
	for _, r := range p.Renames {
		from, to := filepath.Join(dir, workFolder, stageFolder, r.From), filepath.Join(dir, r.To)
		if !filepath.IsLocal(r.From) || !filepath.IsLocal(r.To) {
			return fmt.Errorf("%s: names a file outside of the trace", planName)
		}
		for folder := filepath.Dir(r.To); ; folder = filepath.Dir(folder) {
			folders[filepath.Join(dir, folder)] = struct{}{}
			if folder == "." {
				break
			}
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		err := os.Rename(from, to)
		if errors.Is(err, fs.ErrNotExist) {
			_, err = os.Lstat(to) // renamed before
		}
		if err != nil {
			return err
		}
	}
	for folder := range folders {
		if err := syncFolder(folder); err != nil {
			return err
		}
	}
	if l.batches < p.Batch.Batch {
		if err := l.append(&p.Batch); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(dir, workFolder))
}
