package trace

import "context"

// watchKey is under which a context carries who watches the reading.
type watchKey struct{}

// WithWatch returns a context under which each record that is read of a Parquet file
// is told of: how many rows it has. It is for showing how far a command is; watch must
// be quick, and safe for concurrent use.
func WithWatch(ctx context.Context, watch func(rows int)) context.Context {
	return context.WithValue(ctx, watchKey{}, watch)
}

// TellWatch tells whoever watches of a record that was read elsewhere.
func TellWatch(ctx context.Context, rows int) {
	if watch, ok := ctx.Value(watchKey{}).(func(int)); ok {
		watch(rows)
	}
}
