// Package pseudonym makes a trace that can be given away: names, addresses, paths and
// arguments are replaced by others, the same one by the same one each time, as a
// secret key says.
//
// Traces come in; a trace goes out with as many rows, the same times, calls and
// numbers, and names from which nobody without the key gets back to the first ones:
//
//	m, err := pseudonym.NewMapper(key, nil)
//	report, err := pseudonym.Write(ctx, traces, m, "shared/")
//
// A word becomes one of the same length and of the same classes of characters, so
// that templates of paths (profile.Template) and what a detector learns of them stay
// as they were: scores are the same. Words that every system has (keep.txt) stay.
//
// What can still tell whose recording it is: ids of containers, times and rates, how long names are, which
// programs of keep.txt run, numbers of processes and users, ports, the kernel's
// release, the shape of a folder tree, dates in names, and which addresses share a
// network. Who has the key, or a recording of the same names, can undo it.
package pseudonym
