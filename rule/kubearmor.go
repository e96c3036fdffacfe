package rule

import (
	"fmt"
	slashpath "path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What KubeArmor's CRD takes for a path and a directory
// (pkg/KubeArmorController, api/security.kubearmor.com/v1/common.go).
var (
	kubeArmorPath = regexp.MustCompile(`^/([^/]+/)*[^/]+$`)
	kubeArmorDir  = regexp.MustCompile(`^/([^/]+/)*$`)
)

const kubeArmorLongest = 199 // bytes of a path

// KubeArmor writes the set as KubeArmorPolicies (security.kubearmor.com/v1), for
// each namespace that the workload's pods were seen in: one that allows the
// programs, and one that blocks the secrets. A set for watching has no policy on
// programs, since what is not allowed meets the namespace's posture, which may be
// to block. The error is a *Refusal where no pod or no lasting label is known.
func (s *Set) KubeArmor() ([]byte, error) {
	sel, err := s.selector()
	if err != nil {
		return nil, err
	}
	if len(sel.containers) != 1 {
		return nil, s.refuse("its pods' containers have %d names that are known, and a policy is for one: it would hold the others", len(sel.containers))
	}
	k := &kubeArmorFile{set: s}
	programs, secrets := s.find(Program), s.find(Secret)
	var allow, block *yaml.Node
	if programs != nil && !s.Audit {
		allow = k.programs(programs)
	}
	if secrets != nil {
		block = k.secrets(secrets)
	}
	if allow == nil && block == nil {
		return nil, s.refuse("no rule of it can be said")
	}
	limits := []string{
		"writes: KubeArmor's list of files to allow would need every file that is read too",
		"connections and listeners: its network rules know protocols, no addresses or ports",
		"privileged operations: its rules on system calls only report, and know no namespaces",
	}
	if s.Audit {
		limits = append(limits, "programs: an Allow policy leaves the rest to the posture of the namespace, which may block (annotation kubearmor-file-posture)")
	}
	head := s.head(append(limits, k.notes...)...)
	var docs []*yaml.Node
	for _, namespace := range sel.namespaces {
		if allow != nil {
			docs = append(docs, k.policy(namespace, "programs", sel, 5, "A program ran that this workload was never seen to run", "Allow", "process", allow))
		}
		if block != nil {
			action := "Block"
			if s.Audit {
				action = "Audit"
			}
			docs = append(docs, k.policy(namespace, "secrets", sel, 7, "A file with secrets was opened that this workload was never seen to read", action, "file", block))
		}
	}
	commented(docs[0], head)
	return documents(docs...)
}

// kubeArmorFile gathers what is left out.
type kubeArmorFile struct {
	set   *Set
	notes []string
}

func (k *kubeArmorFile) policy(namespace, suffix string, sel *selector, severity int, message, action, section string, rules *yaml.Node) *yaml.Node {
	meta := k.set.metadata(namespace)
	meta.Content[1].SetString(meta.Content[1].Value + "-" + suffix)
	return object("security.kubearmor.com/v1", "KubeArmorPolicy", meta, mapping(
		"severity", integer(severity), "message", text(message), "tags", sequence(text("mayfly")),
		"selector", sel.matchContainer(), section, rules, "action", text(action)))
}

// programs allows the learned programs and the scripts that they may stand for.
func (k *kubeArmorFile) programs(r *Rule) *yaml.Node {
	paths := list()
	for _, file := range append(append([]string{}, r.Allowed.Exact...), k.set.Scripts...) {
		if k.fits(file, kubeArmorPath) {
			paths.Content = append(paths.Content, mapping("path", text(file)))
		}
	}
	if len(paths.Content) == 0 {
		return nil
	}
	return mapping("matchPaths", paths)
}

func (k *kubeArmorFile) secrets(r *Rule) *yaml.Node {
	pairs := []any{}
	files, dirs := list(), list()
	for _, file := range r.Denied.Exact {
		if k.fits(file, kubeArmorPath) {
			files.Content = append(files.Content, mapping("path", text(file)))
		}
	}
	for _, dir := range r.Denied.Dirs {
		if k.fits(dir+"/", kubeArmorDir) {
			dirs.Content = append(dirs.Content, mapping("dir", text(dir+"/"), "recursive", boolean(true)))
		}
	}
	if len(files.Content) > 0 {
		pairs = append(pairs, "matchPaths", files)
	}
	if len(dirs.Content) > 0 {
		pairs = append(pairs, "matchDirectories", dirs)
	}
	if len(pairs) == 0 {
		return nil
	}
	return mapping(pairs...)
}

// fits says whether KubeArmor takes a path for itself: it puts paths into
// AppArmor profiles as they are, so nothing that is special there may be in one.
func (k *kubeArmorFile) fits(file string, form *regexp.Regexp) bool {
	ok := form.MatchString(file) && len(file) <= kubeArmorLongest && slashpath.Clean("/"+file) == strings.TrimSuffix(file, "/") && plainPath.MatchString(file)
	if !ok {
		k.notes = append(k.notes, fmt.Sprintf("%s: not a path that KubeArmor takes", comment(file)))
	}
	return ok
}

// plainPath has no character that is special in a shell, a pattern or a profile.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._+:=-]+$`)
