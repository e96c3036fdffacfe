package rule

import (
	"fmt"
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
/usr/sbin /usr/share /var /var/lib /var/run /var/spool`)

// literal are directories of which not even a part of a name is learned: what is
// written there is run, by whatever name.
var literal = strings.Fields(`/bin /boot /etc/cron.d /etc/cron.daily /etc/cron.hourly /etc/cron.monthly /etc/cron.weekly
/etc/init.d /etc/ld.so.conf.d /etc/pam.d /etc/profile.d /etc/sudoers.d /etc/systemd /etc/systemd/system /lib /lib64
/root/.ssh /sbin /usr/bin /usr/games /usr/lib /usr/lib64 /usr/libexec /usr/local/bin /usr/local/lib /usr/local/sbin
/usr/sbin /var/spool/cron /var/spool/cron/crontabs`)

// always are files that any program may write to.
var always = []string{"/dev/null", "/dev/stderr", "/dev/stdout", "/dev/tty"}

// maxGlobs bounds the patterns of one rule: each is a comparison for each event.
const maxGlobs = 12

// learnWrites makes a set of places of what was written: the files themselves, but
// for what the evidence says differs from replica to replica or from hour to hour
// (profile.Generalise). notes say what was left out.
func learnWrites(w *profile.Workload, opts Options) (out Paths, set profile.PathSet, notes []string) {
	set = profile.Generalise(w, w.Kind(profile.Write), profile.PathOptions{
		MaxPaths: opts.MaxPaths, MaxNames: maxGlobs,
		Guarded: func(dir string) bool { return slices.Contains(guarded, dir) || slices.Contains(literal, dir) },
		Literal: func(dir string) bool { return slices.Contains(literal, dir) },
	})
	out = Paths{Exact: slices.Concat(always, set.Exact), Dirs: set.Below, Globs: selfGlobs(set.Names)}
	slices.Sort(out.Exact)
	out.Exact = slices.Compact(out.Exact)
	if len(set.Left) > 0 {
		notes = append(notes, fmt.Sprintf("%d learned patterns did not fit and will raise alarms, the first is %q", len(set.Left), set.Left[0]))
	}
	return out, set, append(notes, "removing, renaming and changing the mode of files is not watched")
}

// selfGlobs adds to patterns of what a thread of /proc writes to itself those by
// which it may ask for that: as self or thread-self.
func selfGlobs(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, name)
		if rest, ok := strings.CutPrefix(name, "/proc/*/task/*/"); ok {
			all = append(all, "/proc/*/"+rest)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
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

// sockets are the paths of the unix sockets among peers, with both forms of /run: a
// program may ask for either.
func sockets(peers []profile.Entry) (p Paths) {
	for _, e := range peers {
		path, ok := strings.CutPrefix(e.Item.Value, "unix:")
		if !ok || !strings.HasPrefix(path, "/") {
			continue
		}
		all := []string{path}
		if strings.HasPrefix(path, "/run/") {
			all = append(all, "/var"+path)
		} else if strings.HasPrefix(path, "/var/run/") {
			all = append(all, strings.TrimPrefix(path, "/var"))
		}
		for _, path := range all {
			if strings.Contains(path, "<") {
				p.Globs = append(p.Globs, templateGlobs(path)...)
			} else {
				p.Exact = append(p.Exact, path)
			}
		}
	}
	slices.Sort(p.Exact)
	slices.Sort(p.Globs)
	p.Exact, p.Globs = slices.Compact(p.Exact), slices.Compact(p.Globs)
	return p
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
