package feature

// Counter is the position of one counter in Window.Counters.
type Counter int

// The counters of a window. Counters has their names and meanings. Their names and
// their order are on disk in spaces, which are refused where they differ.
const (
	NEvents Counter = iota
	NCalls
	NDistinctCalls
	NErrors
	NExecs
	NFailedExecs
	NWrittenExecs
	NForks
	NThreads
	NExits
	NExitErrors
	NExitSignals
	NOpenReads
	NOpenWrites
	NOpenFailed
	NUnlinks
	NRenames
	NLinks
	NChmods
	NChowns
	NConnects
	NConnectsFailed
	NAccepts
	NBinds
	NListens
	NSetUIDs
	NSetGIDs
	NCapSets
	NNamespaces
	NMounts
	NPtraces
	NModules
	NBPFs
	NMemfds
	NOrphans
	NTreeDepth
	NTreeBreadth
	NActiveProcesses
	NActiveThreads
	NLost
	NItemOverflow
	NTrigramOverflow
	NumCounters
)

// CounterInfo documents one counter.
type CounterInfo struct {
	Name string  // the column of Schema
	Unit string  // what is counted
	Doc  string  // what counts
	Gone Missing // the bits of Window.Missing that make it unknown
}

// Counters documents every counter, at the index that its Counter constant has.
// A counter that would pass 2^32-1 stays there.
var Counters = [NumCounters]CounterInfo{
	NEvents:          {"n_events", "events", "rows of the events table", MissingEvents},
	NCalls:           {"n_calls", "calls", "system calls in sequences", MissingCalls},
	NDistinctCalls:   {"n_distinct_calls", "calls", "different system calls in sequences", MissingCalls},
	NErrors:          {"n_errors", "events", "events whose call failed (ret < 0), but for EINTR, EAGAIN, EINPROGRESS and calls that the kernel restarts", MissingEvents | MissingErrors},
	NExecs:           {"n_execs", "events", "programs executed", MissingEvents},
	NFailedExecs:     {"n_execs_failed", "events", "execs that failed", MissingEvents | MissingErrors},
	NWrittenExecs:    {"n_execs_written", "events", "execs of a file written after the container started, or of memory", MissingEvents},
	NForks:           {"n_forks", "events", "processes made (fork, clone without CLONE_THREAD)", MissingEvents},
	NThreads:         {"n_threads_made", "events", "threads made (clone with CLONE_THREAD)", MissingEvents},
	NExits:           {"n_exits", "events", "processes ended", MissingEvents},
	NExitErrors:      {"n_exits_error", "events", "processes that ended with a status other than 0", MissingEvents | MissingErrors},
	NExitSignals:     {"n_exits_signal", "events", "processes ended by a signal", MissingEvents | MissingErrors},
	NOpenReads:       {"n_opens_read", "events", "files opened for reading only", MissingEvents},
	NOpenWrites:      {"n_opens_write", "events", "files opened for writing or made", MissingEvents},
	NOpenFailed:      {"n_opens_failed", "events", "opens that failed", MissingEvents | MissingErrors},
	NUnlinks:         {"n_unlinks", "events", "names removed", MissingEvents},
	NRenames:         {"n_renames", "events", "files renamed", MissingEvents},
	NLinks:           {"n_links", "events", "links made, hard and symbolic", MissingEvents},
	NChmods:          {"n_chmods", "events", "changes of file mode", MissingEvents},
	NChowns:          {"n_chowns", "events", "changes of file owner", MissingEvents},
	NConnects:        {"n_connects", "events", "connections started, failed ones included", MissingEvents},
	NConnectsFailed:  {"n_connects_failed", "events", "connections refused at once (EINPROGRESS is no failure)", MissingEvents | MissingErrors},
	NAccepts:         {"n_accepts", "events", "connections accepted", MissingEvents},
	NBinds:           {"n_binds", "events", "sockets bound to an address", MissingEvents},
	NListens:         {"n_listens", "events", "sockets that began to listen", MissingEvents},
	NSetUIDs:         {"n_setuids", "events", "changes of user id", MissingEvents},
	NSetGIDs:         {"n_setgids", "events", "changes of group id", MissingEvents},
	NCapSets:         {"n_capsets", "events", "changes of capabilities", MissingEvents},
	NNamespaces:      {"n_namespaces", "events", "unshare, setns, and clone with a CLONE_NEW flag", MissingEvents},
	NMounts:          {"n_mounts", "events", "mount and umount", MissingEvents},
	NPtraces:         {"n_ptraces", "events", "ptrace requests", MissingEvents},
	NModules:         {"n_modules", "events", "kernel modules loaded", MissingEvents},
	NBPFs:            {"n_bpfs", "events", "bpf(2) commands", MissingEvents},
	NMemfds:          {"n_memfds", "events", "anonymous files made (memfd_create)", MissingEvents},
	NOrphans:         {"n_orphans", "processes", "processes made in the last 10 s whose parent is no longer the one that made them", MissingEvents | MissingThreads},
	NTreeDepth:       {"n_tree_depth", "generations", "longest line of processes that began each other within the last 10 s and ends in one made in the window", MissingEvents | MissingThreads},
	NTreeBreadth:     {"n_tree_breadth", "processes", "most processes made by one process", MissingEvents | MissingThreads},
	NActiveProcesses: {"n_active_processes", "processes", "processes that made a call or an event", MissingThreads},
	NActiveThreads:   {"n_active_threads", "threads", "threads that made a call or an event", MissingThreads},
	NLost:            {"n_lost", "records", "recorder's losses that overlap the window, in proportion to time, rounded up", 0},
	NItemOverflow:    {"n_items_overflow", "items", "items left out because the window had too many different ones", MissingEvents},
	NTrigramOverflow: {"n_trigrams_overflow", "trigrams", "trigrams left out because the window had too many different ones", MissingOrder},
}

// Known reports whether the source of a window could know the counter.
func (w *Window) Known(c Counter) bool { return w.Missing&Counters[c].Gone == 0 }

// addSat adds, and stays at the largest value.
func addSat(a, b uint32) uint32 {
	if sum := a + b; sum >= a {
		return sum
	}
	return ^uint32(0)
}
