package rule

import (
	slashpath "path"
	"slices"
	"strings"

	"mayfly/profile"
)

// hiddenListeners says that connections of the internet came in and no socket was
// seen to listen.
func hiddenListeners(w *profile.Workload) bool {
	of := func(kind string) bool {
		return slices.ContainsFunc(w.Kind(kind), func(e profile.Entry) bool { return strings.HasPrefix(e.Item.Value, "inet") })
	}
	return of(profile.Accept) && !of(profile.Listen)
}

// scripts returns files that the kernel may be asked to execute though no exec of
// them was recorded: an exec names the program that runs, for a script its
// interpreter. The entry points of the image are some, and files that were read
// where programs lie or whose name ends as a script's does.
func scripts(w *profile.Workload) []string {
	var out []string
	add := func(file string) {
		if strings.HasPrefix(file, "/") && !w.Has(profile.Item{Kind: profile.Exec, Value: file}) && slashpath.Clean(file) == file {
			out = append(out, file)
		}
	}
	if w.Declared != nil {
		for _, command := range slices.Concat(w.Declared.Entrypoints, w.Declared.Commands) {
			first, _, _ := strings.Cut(command, " ")
			add(first)
		}
	}
	for _, e := range w.Kind(profile.Read) {
		file := e.Item.Value
		dir := slashpath.Base(slashpath.Dir(file))
		if !strings.Contains(file, "<") && (dir == "bin" || dir == "sbin" || slices.Contains([]string{".sh", ".py", ".pl", ".rb"}, slashpath.Ext(file))) {
			add(file)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
