package falco

import (
	"strings"

	"mayfly/trace"
)

// Host stands for the processes of the host, which are in no container.
var Host = &trace.Container{ContainerID: "host", Name: "host", Runtime: "host", Facts: trace.FactsFull}

func onHost(c *trace.Container) bool { return c == Host }

// fact is text of the containers table.
func fact(of func(c *trace.Container) string) func(c *trace.Container) (string, state) {
	return func(c *trace.Container) (string, state) {
		if s := of(c); s != "" {
			return s, has
		}
		return "", absentFact(c)
	}
}

// described says that the runtime told all that it knows: recordings from before
// facts were graded name a runtime where one did.
func described(c *trace.Container) bool {
	return c.Facts == trace.FactsFull || c.Facts == "" && c.Runtime != ""
}

// absentFact is the state of a fact that is not there: Falco does not have it
// either of the host, and of containers that their runtime described in full.
func absentFact(c *trace.Container) state {
	if onHost(c) {
		return null
	}
	return missing
}

func podFact(of func(c *trace.Container) string) func(c *trace.Container) (string, state) {
	return func(c *trace.Container) (string, state) {
		switch s := of(c); {
		case s != "":
			return s, has
		case onHost(c) || described(c):
			return "", null // it is in no pod
		}
		return "", missing
	}
}

// containerID is 12 digits long, or host.
func containerID(c *trace.Container) (string, state) {
	return c.ContainerID[:min(12, len(c.ContainerID))], has
}

func containerPrivileged(c *trace.Container) (string, state) {
	switch {
	case onHost(c):
		return "", null
	case c.Privileged == nil:
		return "", missing
	case *c.Privileged:
		return "true", has
	}
	return "false", has
}

// image is a reference taken apart.
type image struct{ repository, tag, digest string }

func splitImage(ref string) (i image) {
	ref, i.digest, _ = strings.Cut(ref, "@")
	if at := strings.LastIndexByte(ref, ':'); at > strings.LastIndexByte(ref, '/') {
		ref, i.tag = ref[:at], ref[at+1:]
	}
	i.repository = ref
	return i
}

func imagePart(of func(image) string) func(c *trace.Container) (string, state) {
	return fact(func(c *trace.Container) string {
		if strings.HasPrefix(c.Image, "sha256:") {
			return "" // given by id alone
		}
		return of(splitImage(c.Image))
	})
}

func imageTag(c *trace.Container) (string, state) {
	s, st := imagePart(func(i image) string { return i.tag })(c)
	if st == missing && c.Image != "" && !strings.HasPrefix(c.Image, "sha256:") {
		if splitImage(c.Image).digest == "" {
			return "latest", has
		}
		return "", null
	}
	return s, st
}

// imageDigest is null of images that were never pushed, as far as is known.
func imageDigest(c *trace.Container) (string, state) {
	digest := c.ImageDigest
	if i := splitImage(c.Image); digest == "" {
		digest = i.digest
	}
	if at := strings.LastIndexByte(digest, '@'); at >= 0 {
		digest = digest[at+1:]
	}
	switch {
	case digest != "":
		return digest, has
	case onHost(c) || described(c):
		return "", null
	}
	return "", missing
}

// imageID is the first 12 digits, as Falco has it.
func imageID(c *trace.Container) (string, state) {
	id := strings.TrimPrefix(c.ImageID, "sha256:")
	if id == "" {
		return "", absentFact(c)
	}
	return id[:min(12, len(id))], has
}

// labelField is container.label[name].
func labelField(name string) field {
	return field{container: func(c *trace.Container) (string, state) {
		for _, l := range c.Labels {
			if key, value, _ := strings.Cut(l, "="); key == name {
				return value, has
			}
		}
		if onHost(c) || described(c) || len(c.Labels) > 0 {
			return "", null
		}
		return "", missing
	}}
}
