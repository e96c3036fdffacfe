package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mayfly/profile"
)

// secrets are files that hold credentials, or from which credentials are read.
// Both /run and /var/run stand here: a rule sees paths as they were asked for, a
// recorder as they are.
var secrets = Paths{
	Exact: []string{"/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd", "/etc/shadow", "/etc/shadow-",
		"/etc/sudoers", "/dev/kmem", "/dev/mem", "/proc/kcore", "/proc/1/environ", "/root/.bash_history",
		"/root/.git-credentials", "/root/.netrc", "/root/.pgpass"},
	Dirs: []string{"/etc/kubernetes", "/etc/sudoers.d", "/root/.aws", "/root/.azure", "/root/.config/gcloud",
		"/root/.docker", "/root/.gnupg", "/root/.kube", "/root/.ssh", "/run/secrets", "/var/lib/kubelet",
		"/var/run/secrets"},
}

// unreadSecrets returns the secrets that no learned path lies in.
func unreadSecrets(reads []profile.Entry) Paths {
	read := func(secret string) bool {
		return slices.ContainsFunc(reads, func(e profile.Entry) bool {
			path := e.Item.Value
			for _, p := range []string{path, strings.Replace(path, "/run/", "/var/run/", 1), strings.TrimPrefix(path, "/var")} {
				if p == secret || below(p, secret) || profile.Template(secret) == p {
					return true
				}
			}
			return false
		})
	}
	var out Paths
	for _, path := range secrets.Exact {
		if !read(path) {
			out.Exact = append(out.Exact, path)
		}
	}
	for _, dir := range secrets.Dirs {
		if !read(dir) {
			out.Dirs = append(out.Dirs, dir)
		}
	}
	slices.Sort(out.Exact)
	return out
}

// below says whether path lies in dir, at any depth.
func below(path, dir string) bool {
	return len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

// guarded are directories in which single files are learned, never everything
// below: one file written to /etc says nothing of the next.
var guarded = strings.Fields(`/ /bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys
/usr /usr/bin /usr/games /usr/lib /usr/lib64 /usr/libexec /usr/local /usr/local/bin /usr/local/lib /usr/local/sbin
/usr/sbin /usr/share /var /var/lib /var/run /var/spool /etc/cron.d /etc/cron.daily /etc/cron.hourly /etc/init.d
/etc/ld.so.conf.d /etc/pam.d /etc/profile.d /etc/sudoers.d /etc/systemd /etc/systemd/system /root/.ssh
/var/spool/cron /var/spool/cron/crontabs`)

// always are files that any program may write to.
var always = []string{"/dev/null", "/dev/stderr", "/dev/stdout", "/dev/tty"}

// maxGlobs bounds the patterns of one rule: each is a comparison for each event.
const maxGlobs = 12

// learnWrites makes a set of places of the templates of paths that were written:
// the directory of each file, or the file alone where the directory is guarded.
// Directories are joined to their parents until at most maxDirs are left, but
// never to a guarded one. notes say what was widened or left out.
func learnWrites(templates []string, maxDirs int) (out Paths, notes []string) {
	dirs, exact, globs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, path := range always {
		exact[path] = true
	}
	for _, path := range templates {
		if !strings.HasPrefix(path, "/") {
			continue // memory, or a path that could not be resolved
		}
		dir := path[:strings.LastIndexByte(path, '/')]
		fixed := dir
		if i := strings.IndexByte(dir, '<'); i >= 0 {
			fixed = dir[:strings.LastIndexByte(dir[:i], '/')]
		}
		switch {
		case fixed != "" && !slices.Contains(guarded, fixed):
			dirs[fixed] = true
		case strings.Contains(path, "<"):
			for _, glob := range templateGlobs(path) {
				globs[glob] = true
			}
		default:
			exact[path] = true
		}
	}
	for len(dirs) > maxDirs {
		if !joinDeepest(dirs) {
			break
		}
	}
	for dir := range dirs {
		for parent := range dirs {
			if below(dir, parent) {
				delete(dirs, dir)
			}
		}
	}
	out = Paths{Exact: slices.Sorted(maps.Keys(exact)), Dirs: slices.Sorted(maps.Keys(dirs)), Globs: slices.Sorted(maps.Keys(globs))}
	out.Exact = slices.DeleteFunc(out.Exact, func(path string) bool { return out.inDirs(path) })
	if len(out.Globs) > maxGlobs {
		notes = append(notes, fmt.Sprintf("%d learned patterns did not fit and will raise alarms, the first is %q", len(out.Globs)-maxGlobs, out.Globs[maxGlobs]))
		out.Globs = out.Globs[:maxGlobs]
	}
	notes = append(notes, "removing, renaming and changing the mode of files is not watched")
	return out, notes
}

// joinDeepest replaces the directories of one parent by the parent: the deepest
// that is not guarded. It returns false when there is none.
func joinDeepest(dirs map[string]bool) bool {
	best, depth := "", 0
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		parent := dir[:strings.LastIndexByte(dir, '/')]
		if n := strings.Count(parent, "/"); n > depth && !slices.Contains(guarded, parent) {
			best, depth = parent, n
		}
	}
	if best == "" {
		return false
	}
	for dir := range dirs {
		if below(dir, best) {
			delete(dirs, dir)
		}
	}
	dirs[best] = true
	return true
}

// templateGlobs returns patterns for a template. What a thread of /proc writes to
// itself it may ask for as self or thread-self.
func templateGlobs(template string) []string {
	globs := []string{stars(template)}
	if rest, ok := strings.CutPrefix(template, "/proc/<n>/task/<n>/"); ok {
		globs = append(globs, stars("/proc/<n>/"+rest))
	}
	return globs
}

// stars writes each <part> of a template as *.
func stars(template string) string {
	var b strings.Builder
	for {
		before, rest, _ := strings.Cut(template, "<")
		_, after, ok := strings.Cut(rest, ">")
		if !ok {
			return b.String() + template
		}
		b.WriteString(before)
		b.WriteByte('*')
		template = after
	}
}

func (p *Paths) inDirs(path string) bool {
	return slices.ContainsFunc(p.Dirs, func(dir string) bool { return path == dir || below(path, dir) })
}

// Has says whether a path, as it is or as a template, is in the set.
func (p *Paths) Has(path string) bool {
	if p.inDirs(path) {
		return true
	}
	if _, ok := slices.BinarySearch(p.Exact, path); ok {
		return true
	}
	return slices.ContainsFunc(p.Globs, func(glob string) bool { return globMatch(glob, path) })
}

// globMatch matches a pattern in which * is any text.
func globMatch(glob, text string) bool {
	parts := strings.Split(glob, "*")
	if len(parts) == 1 {
		return glob == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}
