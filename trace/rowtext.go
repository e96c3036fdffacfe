package trace

// What the Writer needs of each row: the time it covers, and its texts, which
// are bytes from outside. A list of texts that needs a change is copied first,
// since the caller's row shares it.

func eventTimes(e *Event) (int64, int64)         { return e.TimeNS, e.TimeNS }
func sequenceTimes(s *Sequence) (int64, int64)   { return s.TimeNS, s.TimeNS }
func processTimes(p *Process) (int64, int64)     { return p.TimeNS, p.TimeNS }
func containerTimes(c *Container) (int64, int64) { return c.TimeNS, c.TimeNS }
func lossTimes(l *Loss) (int64, int64)           { return l.FromNS, l.ToNS }

func eventTexts(e *Event, f func(*string)) {
	for _, s := range [...]*string{&e.Kind, &e.ContainerID, &e.Comm, &e.Exe, &e.Path, &e.Path2,
		&e.Cwd, &e.ExeOrigin, &e.Family, &e.Addr, &e.LocalAddr, &e.Via, &e.Claimed} {
		if *s != "" {
			f(s)
		}
	}
	listTexts(&e.Argv, f)
}

func sequenceTexts(s *Sequence, f func(*string)) {
	f(&s.ContainerID)
	f(&s.Comm)
}

func processTexts(p *Process, f func(*string)) {
	for _, s := range [...]*string{&p.ContainerID, &p.Comm, &p.Exe, &p.Cwd, &p.ExeOrigin} {
		f(s)
	}
	listTexts(&p.Argv, f)
}

func containerTexts(c *Container, f func(*string)) {
	for _, s := range [...]*string{&c.ContainerID, &c.CgroupName, &c.Runtime, &c.Name, &c.Image, &c.ImageID,
		&c.ImageDigest, &c.Pod, &c.PodNamespace, &c.User, &c.Seccomp, &c.AppArmor, &c.NetworkMode, &c.PIDMode,
		&c.Facts, &c.CgroupPath, &c.PodUID, &c.Sandbox, &c.Owner, &c.SELinux, &c.IPCMode, &c.UTSMode, &c.UserNSMode} {
		f(s)
	}
	for _, l := range [...]*[]string{&c.Labels, &c.CapAdd, &c.CapDrop, &c.Mounts, &c.Entrypoint, &c.Cmd, &c.Ports, &c.NestedIn} {
		listTexts(l, f)
	}
}

func lossTexts(l *Loss, f func(*string)) {
	f(&l.ContainerID)
	f(&l.Class)
}

func listTexts(l *[]string, f func(*string)) {
	for i, s := range *l {
		changed := s
		f(&changed)
		if changed != s {
			*l = append([]string(nil), *l...)
			(*l)[i] = changed
		}
	}
}
