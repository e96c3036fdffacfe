package trace

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

func journalFolderOf(hostText string) string { return "journal/host=" + hostText }

// sealedName reads a sealed file's name: <table>-<from_ns>-<n>.parquet.
func sealedName(t Table, name string) (fromNS, number int64, ok bool) {
	rest, ok := strings.CutSuffix(name, ".parquet")
	rest, prefix := strings.CutPrefix(rest, string(t)+"-")
	at := strings.LastIndexByte(rest, '-')
	if !ok || !prefix || at < 1 {
		return 0, 0, false
	}
	fromNS, err := strconv.ParseInt(rest[:at], 10, 64)
	number, numberErr := strconv.ParseInt(rest[at+1:], 10, 64)
	return fromNS, number, err == nil && numberErr == nil && number >= 0
}

// listSealed lists a host's sealed files, the oldest first. Of each it knows what
// the name and the folder tell: toNS is 0 and rows -1.
func listSealed(d disk, hostText string) (files []sealedFile, err error) {
	for _, table := range Tables() {
		err = errors.Join(err, eachFile(d, table, hostText, func(name string) error {
			from, _, ok := sealedName(table, path.Base(name))
			if !ok {
				return nil
			}
			bytes, err := d.size(name)
			if err == nil {
				files = append(files, sealedFile{name: name, table: table, fromNS: from, rows: -1, bytes: bytes})
			}
			return err
		}))
	}
	slices.SortFunc(files, compareSealed)
	return files, err
}

// eachFile calls do with each file of a host's table, date by date.
func eachFile(d disk, table Table, hostText string, do func(name string) error) error {
	root := path.Join(string(table), "host="+hostText)
	dates, err := d.list(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, date := range dates {
		if !date.IsDir() {
			continue
		}
		entries, listErr := d.list(path.Join(root, date.Name()))
		err = errors.Join(err, listErr)
		for _, e := range entries {
			if !e.IsDir() {
				err = errors.Join(err, do(path.Join(root, date.Name(), e.Name())))
			}
		}
	}
	return err
}

func compareSealed(a, b sealedFile) int {
	return cmp.Or(cmp.Compare(a.fromNS, b.fromNS), cmp.Compare(a.name, b.name))
}

// removeDrafts removes the temporary files that a killed writer of the host left,
// and returns how many there were.
func removeDrafts(d disk, hostText string) (n int, err error) {
	for _, table := range Tables() {
		err = errors.Join(err, eachFile(d, table, hostText, func(name string) error {
			base := path.Base(name)
			if !strings.HasPrefix(base, ".") || !strings.HasSuffix(base, tempSuffix) {
				return nil
			}
			n++
			return d.remove(name)
		}))
	}
	return n, err
}
