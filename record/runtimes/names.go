package runtimes

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/moby/client"
)

// Names returns the names of the containers that run now, of a Docker daemon or of
// podman in its place: for a person who is about to choose among them.
func Names(ctx context.Context, source Source) ([]string, error) {
	if source.Kind != Docker && source.Kind != Podman {
		return nil, fmt.Errorf("%s: its containers have no names of their own", source)
	}
	c, err := client.New(client.WithHost(source.Address))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	defer func() { _ = c.Close() }()
	list, err := c.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	var names []string
	for _, item := range list.Items {
		if len(item.Names) > 0 {
			names = append(names, strings.TrimPrefix(item.Names[0], "/"))
		}
	}
	return names, nil
}
