package profile

import (
	"strings"

	"github.com/distribution/reference"

	"mayfly/trace"
)

// Unknown is the workload of containers of which no image is known.
const Unknown = "unknown"

// NameOf names the workload of a container: WorkloadName of its image, followed by
// "#" and its Deployment where one is known, as in "nginx@sha256:…#shop/web".
func NameOf(c *trace.Container) string {
	name := WorkloadName(c.Image, c.ImageDigest)
	if deployment := Deployment(c); deployment != "" && name != Unknown {
		return clean(name + "#" + deployment)
	}
	return name
}

// NamesOf returns the names that a workload with this container may have, the one
// that says most first: a profile may have been made where less was known.
func NamesOf(c *trace.Container) []string {
	names := []string{NameOf(c)}
	add := func(name string) {
		if names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	if deployment := Deployment(c); deployment != "" && c.ImageDigest != "" {
		without := *c
		without.ImageDigest = ""
		add(NameOf(&without))
	}
	add(WorkloadName(c.Image, c.ImageDigest))
	add(WorkloadName(c.Image, ""))
	return names
}

// SplitName is the inverse of NameOf: the repository (or image id, or Unknown), the
// digest and the deployment, each "" where the name has none.
func SplitName(name string) (repository, digest, deployment string) {
	repository, deployment, _ = strings.Cut(name, "#")
	repository, digest, _ = strings.Cut(repository, "@")
	return repository, digest, deployment
}

// Deployment names what started a container, "" where that is not known: of
// Kubernetes the namespace and the owner of its pod ("shop/Deployment/web"), of
// Compose project and service ("shop/web").
func Deployment(c *trace.Container) string {
	if c.PodNamespace != "" {
		if c.Owner == "" {
			return ""
		}
		return c.PodNamespace + "/" + c.Owner
	}
	var project, service string
	for _, label := range c.Labels {
		key, value, _ := strings.Cut(label, "=")
		switch key {
		case "com.docker.compose.project":
			project = value
		case "com.docker.compose.service":
			service = value
		}
	}
	if service == "" {
		return ""
	}
	return project + "/" + service
}

// WorkloadName names the workload of an image reference as the user wrote it:
// the repository in its short form, without tag ("docker.io/library/nginx:1.25"
// and "nginx" are both "nginx"), followed by "@" and the digest when one is
// given. An image given by its id keeps the id. Empty is Unknown.
func WorkloadName(image, digest string) string {
	name := repository(clean(image))
	if name == "" {
		return Unknown
	}
	if digest != "" {
		// A repo digest may be written as repository@sha256:…
		return clean(name + "@" + digest[strings.LastIndexByte(digest, '@')+1:])
	}
	return name
}

func repository(image string) string {
	if strings.HasPrefix(image, "sha256:") {
		return image
	}
	if named, err := reference.ParseNormalizedNamed(image); err == nil {
		return reference.FamiliarName(named)
	}
	// Not a reference that the grammar knows: cut digest and tag by hand.
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return strings.ReplaceAll(image, "#", "_") // what NameOf puts behind it begins with one
}
