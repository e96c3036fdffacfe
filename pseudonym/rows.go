package pseudonym

import (
	"slices"
	"strings"

	"mayfly/trace"
)

// What of each table is a name. Fields that are not here stay as they are: kinds,
// families, classes, capabilities, and the ids of containers: random numbers that name
// nothing, by whose order windows of one time are learned. TestEveryTextIsDecided knows
// each text of the rows, so that a new column is thought of.

func (m *Mapper) text(s *string) { *s = m.Text(*s) }

func (m *Mapper) texts(s []string) {
	for i := range s {
		m.text(&s[i])
	}
}

func (m *Mapper) event(e *trace.Event) {
	for _, s := range []*string{&e.Comm, &e.Exe, &e.Path2, &e.Cwd} {
		m.text(s)
	}
	if trace.Kind(e.Kind) != trace.Throttle { // a class of loss
		m.text(&e.Path)
	}
	if trace.Kind(e.Kind) != trace.Mount { // a type of file system
		e.Addr = m.Addr(e.Addr)
	}
	e.LocalAddr, e.Claimed = m.Addr(e.LocalAddr), m.claimed(e.Claimed)
	m.texts(e.Argv)
}

func (m *Mapper) sequence(s *trace.Sequence) {
	m.text(&s.Comm)
}

func (m *Mapper) process(p *trace.Process) {
	for _, s := range []*string{&p.Comm, &p.Exe, &p.Cwd} {
		m.text(s)
	}
	m.texts(p.Argv)
}

func (m *Mapper) container(c *trace.Container) {
	for _, id := range append([]string{c.ContainerID, c.Sandbox}, c.NestedIn...) {
		m.keep[strings.ToLower(id)] = true // in names of cgroups too
	}
	for _, s := range []*string{&c.CgroupName, &c.Name, &c.Image, &c.ImageID, &c.ImageDigest, &c.Pod, &c.PodNamespace,
		&c.User, &c.Seccomp, &c.AppArmor, &c.CgroupPath, &c.PodUID, &c.SELinux} {
		m.text(s)
	}
	for _, list := range [][]string{c.Labels, c.Mounts, c.Entrypoint, c.Cmd} {
		m.texts(list)
	}
	slices.Sort(c.Labels)
	slices.Sort(c.Mounts)
	for _, s := range []*string{&c.NetworkMode, &c.PIDMode, &c.IPCMode, &c.UTSMode, &c.UserNSMode} { // host, private, container:ID, a network's name
		m.text(s)
	}
	if kind, name, ok := strings.Cut(c.Owner, "/"); ok { // Deployment/web
		c.Owner = kind + "/" + m.Text(name)
	}
}
