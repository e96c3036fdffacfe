package runtimes

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/containerd/api/events"
	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	eventsapi "github.com/containerd/containerd/api/services/events/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	namespacesapi "github.com/containerd/containerd/api/services/namespaces/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"mayfly/trace"
)

// containerd asks a containerd, in all its namespaces: each container's record
// holds its labels, its image and the whole OCI configuration, from its creation
// to its removal.
type containerd struct {
	conn       *grpc.ClientConn
	sink       sink
	containers containersapi.ContainersClient
	images     imagesapi.ImagesClient
}

func newContainerd(address string, out sink) (*containerd, error) {
	conn, err := dial(address)
	if err != nil {
		return nil, err
	}
	return &containerd{conn: conn, sink: out, containers: containersapi.NewContainersClient(conn),
		images: imagesapi.NewImagesClient(conn)}, nil
}

// maxMessage bounds an answer: a list of all containers with their configurations.
const maxMessage = 64 << 20

// dial makes a connection, which is tried at the first call.
func dial(address string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)), grpc.WithNoProxy())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return conn, nil
}

func (d *containerd) close() { _ = d.conn.Close() }

// in names the containerd namespace that a call is about.
func in(ctx context.Context, namespace string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "containerd-namespace", namespace)
}

// follow tells of the containers that there are, and then of those that events name.
func (d *containerd) follow(ctx context.Context, connected func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The stream first: a container created in between is in one of the two.
	stream, err := eventsapi.NewEventsClient(d.conn).Subscribe(ctx, &eventsapi.SubscribeRequest{Filters: []string{
		`topic=="/containers/create"`, `topic=="/containers/update"`, `topic=="/tasks/start"`, `topic=="/tasks/exit"`}})
	if err != nil {
		return err
	}
	if err := d.list(ctx); err != nil {
		return err
	}
	connected()
	for {
		e, err := stream.Recv()
		if err != nil {
			return err
		}
		d.event(ctx, e)
	}
}

func (d *containerd) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	namespaces, err := namespacesapi.NewNamespacesClient(d.conn).List(ctx, &namespacesapi.ListNamespacesRequest{})
	if err != nil {
		return err
	}
	for _, ns := range namespaces.Namespaces {
		list, err := d.containers.List(in(ctx, ns.Name), &containersapi.ListContainersRequest{})
		if err != nil {
			return fmt.Errorf("namespace %s: %w", ns.Name, err)
		}
		for _, c := range list.Containers {
			d.sink.send(ctx, d.describe(ctx, ns.Name, c))
		}
	}
	return nil
}

// event sends what an event tells, and what containerd then knows of its container.
func (d *containerd) event(ctx context.Context, e *types.Envelope) {
	c := eventFacts(e)
	if c == nil {
		return
	}
	d.sink.send(ctx, c)
	if e.Topic == "/tasks/exit" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	got, err := d.containers.Get(in(ctx, e.Namespace), &containersapi.GetContainerRequest{ID: c.ContainerID})
	if err != nil {
		d.sink.log.Debug("containerd container", "container", c.ContainerID, "error", err)
		return
	}
	facts := d.describe(ctx, e.Namespace, got.Container)
	facts.StartedNS = c.StartedNS
	d.sink.send(ctx, facts)
}

// eventFacts is what an event itself tells of a container; nil where it tells
// of none, as the exit of a program that was run in it besides its own.
func eventFacts(e *types.Envelope) *trace.Container {
	c := &trace.Container{Runtime: runtimeOf(e.Namespace), Facts: trace.FactsPartial}
	var err error
	switch e.Topic {
	case "/containers/create":
		var m events.ContainerCreate
		err = proto.Unmarshal(e.GetEvent().GetValue(), &m)
		c.ContainerID, c.Image = m.ID, m.Image
	case "/containers/update":
		var m events.ContainerUpdate
		err = proto.Unmarshal(e.GetEvent().GetValue(), &m)
		c.ContainerID, c.Image = m.ID, m.Image
	case "/tasks/start":
		var m events.TaskStart
		err = proto.Unmarshal(e.GetEvent().GetValue(), &m)
		c.ContainerID, c.StartedNS = m.ContainerID, new(e.Timestamp.AsTime().UnixNano())
	case "/tasks/exit":
		var m events.TaskExit
		err = proto.Unmarshal(e.GetEvent().GetValue(), &m)
		if m.ID == m.ContainerID {
			// Of a short life the exit is noticed before its start is told: the times of
			// the events are in order, which m.ExitedAt is not.
			c.ContainerID, c.FinishedNS = m.ContainerID, new(e.Timestamp.AsTime().UnixNano())
		}
	}
	if err != nil || c.ContainerID == "" {
		return nil
	}
	return c
}

// mobyNamespace is where Docker keeps its containers.
const mobyNamespace = "moby"

func runtimeOf(namespace string) string {
	if namespace == mobyNamespace {
		return Docker
	}
	return Containerd
}

// describe makes facts of containerd's record of a container. Of Docker's it has
// neither name nor image: those are partial, and Docker tells more.
func (d *containerd) describe(ctx context.Context, namespace string, in *containersapi.Container) *trace.Container {
	c := containerdFacts(namespace, in)
	c.ImageDigest = d.digest(ctx, namespace, in.Image)
	return c
}

func containerdFacts(namespace string, in *containersapi.Container) *trace.Container {
	c := &trace.Container{ContainerID: in.ID, Runtime: runtimeOf(namespace), Image: in.Image, Facts: trace.FactsFull}
	var spec specs.Spec
	// The type URL ends in …/opencontainers/runtime-spec/1/Spec, the value is JSON.
	if strings.HasSuffix(in.GetSpec().GetTypeUrl(), "Spec") && json.Unmarshal(in.Spec.Value, &spec) == nil {
		specFacts(c, &spec)
	} else {
		c.Facts = trace.FactsPartial
	}
	if namespace == mobyNamespace {
		// With what Docker adds to each of its containers, which nobody asked for; the
		// labels are Docker's own and not the container's, nor is there a name.
		c.Facts, c.Mounts, c.User, c.Cmd = trace.FactsPartial, nil, "", nil
		return c
	}
	setLabels(c, in.Labels)
	switch {
	case in.Labels[criKindLabel] == "sandbox":
		c.Name, c.Sandbox = "POD", in.ID
	case in.Labels[containerLabel] != "":
		c.Name = in.Labels[containerLabel]
	default:
		c.Name = in.Labels[nerdctlName]
	}
	return c
}

// digest is what an image's name points at now, "" where that is not known.
func (d *containerd) digest(ctx context.Context, namespace, image string) string {
	if image == "" {
		return ""
	}
	got, err := d.images.Get(in(ctx, namespace), &imagesapi.GetImageRequest{Name: image})
	if err != nil {
		return ""
	}
	return got.GetImage().GetTarget().GetDigest()
}
