package ingest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"mayfly/trace"
)

// scapContainerJSON is the parameter of a container event: what Falco and sysdig
// learned of its runtime.
type scapContainerJSON struct {
	Container struct {
		ID, Name, Image, ImageID, ImageDigest, User string
		FullID                                      string `json:"full_id"`
		Type                                        *int
		Privileged                                  *bool
		Labels                                      map[string]string
		PodSandbox                                  string `json:"pod_sandbox_id"`
		Created                                     int64  `json:"created_time"` // s since 1970
		Mounts                                      []struct{ Source, Destination, Mode string }
	}
}

// container takes a container event.
func (ev *scapEvent) container() error {
	d := ev.d
	text, ok := ev.parameters.text(0)
	if !ok {
		return nil
	}
	var said scapContainerJSON
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return fmt.Errorf("container: %w", err)
	}
	c := &said.Container
	id := cmp.Or(c.FullID, c.ID)
	if len(id) < 12 || len(id) > 64 {
		return fmt.Errorf("container: id %.80q", id)
	}
	row := &trace.Container{TimeNS: ev.ns, ContainerID: id, Name: c.Name, Image: c.Image, ImageID: c.ImageID,
		ImageDigest: c.ImageDigest, User: c.User, Privileged: c.Privileged, Sandbox: c.PodSandbox, Facts: trace.FactsPartial}
	if c.Type != nil && *c.Type >= 0 && *c.Type < len(scapRuntimes) {
		row.Runtime = scapRuntimes[*c.Type]
	}
	for key, value := range c.Labels {
		row.Labels = append(row.Labels, key+"="+value)
	}
	slices.Sort(row.Labels)
	row.Pod, row.PodNamespace, row.PodUID = c.Labels["io.kubernetes.pod.name"], c.Labels["io.kubernetes.pod.namespace"],
		c.Labels["io.kubernetes.pod.uid"]
	for _, m := range c.Mounts {
		row.Mounts = append(row.Mounts, m.Source+":"+m.Destination+":"+m.Mode)
	}
	slices.Sort(row.Mounts)
	if len(id) == 64 {
		d.containers[id] = true
		d.failed = d.out.Container(d.host, row)
		return d.failed
	}
	for full := range d.containers {
		if full[:12] == id[:12] && (len(row.ContainerID) < 64 || full < row.ContainerID) {
			row.ContainerID = full // of several, the first in order
		}
	}
	if len(row.ContainerID) == 64 {
		d.failed = d.out.Container(d.host, row)
		return d.failed
	}
	if len(d.order) < maxThreads {
		d.waiting[id[:12]] = row
		d.order = append(d.order, id[:12])
	}
	return nil
}
