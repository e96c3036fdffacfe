package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"mayfly/profile"
)

// FileName returns the name, without extension, of the files of a workload. It
// holds letters, digits, dots, dashes and underscores only. Two workloads have
// the same only when their hashes agree in 48 bits: a name that had to be changed
// gets an underscore and the hash of the workload's name.
func FileName(workload string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '.':
			return r
		}
		return '_'
	}, workload)
	if name == workload && len(name) <= 80 && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "-") && name != "" && strings.ToLower(name) == name {
		return name
	}
	name = strings.TrimLeft(name, ".-")
	return name[:min(len(name), 80)] + "_" + shortHash(workload)
}

// identifier returns a name for Falco's lists and macros, unique in the same way,
// that matches [a-zA-Z]+[a-zA-Z0-9_]*.
func identifier(workload string) string {
	plain := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(workload))
	if plain == workload && !strings.Contains(plain, "_") && len(plain) <= 40 {
		return "mayfly_" + plain
	}
	// The last word tells people which one is meant, the hash machines.
	words := strings.FieldsFunc(plain, func(r rune) bool { return r == '_' })
	last := ""
	if len(words) > 0 {
		last = words[len(words)-1]
		last = last[:min(len(last), 24)] + "_"
	}
	return "mayfly_" + last + shortHash(workload)
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// Printable makes a name harmless in a rule's name, and on a terminal: printable ASCII without
// quotes, backslashes, percent signs or commas.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("%\"'`\\,", r) {
			return '_'
		}
		return r
	}, s)
}

// repositories returns what Falco may give as container.image.repository of a
// workload: the short and the full form of the repository, and the forms in which
// its containers were started. Unknown images, and images given by id, have none.
func repositories(repo string, declared *profile.Declared) []string {
	if repo == profile.Unknown || repo == "" || strings.HasPrefix(repo, "sha256:") {
		return nil
	}
	forms := []string{repo}
	if named, err := reference.ParseNormalizedNamed(repo); err == nil {
		forms = append(forms, named.Name())
	}
	if declared != nil {
		for _, image := range declared.Images {
			image, _, _ = strings.Cut(image, "@")
			if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
				image = image[:i]
			}
			if profile.WorkloadName(image, "") == repo {
				forms = append(forms, image)
			}
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}
