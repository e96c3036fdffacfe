package feature

import (
	"strings"

	"mayfly/profile"
	"mayfly/trace"
)

// Flags of clone(2): include/uapi/linux/sched.h.
const (
	cloneThread = 0x10000
	cloneNew    = 0x7e020000 // CLONE_NEW*, without NEWTIME, whose bit is the exit signal's in clone(2)
)

// Results that are no failure: the call was cut short or goes on.
const (
	errINTR       = -4
	errAGAIN      = -11
	errINPROGRESS = -115
	errRestart    = -512 // to -516: the kernel makes the call again
)

func failed(ret int64) bool {
	switch ret {
	case errINTR, errAGAIN, errINPROGRESS:
		return false
	}
	return ret < 0 && (ret > errRestart || ret < errRestart-4)
}

// countEvent counts one event in the window's counters.
func countEvent(o *openWindow, e *trace.EventBatch, i int) {
	o.bump(NEvents, 1)
	ret, known := e.Ret(i)
	bad := known && failed(ret)
	if bad {
		o.bump(NErrors, 1)
	}
	flags, _ := e.Flags(i)
	switch kind := e.Kind(i); kind {
	case trace.Exec:
		countExec(o, e, i, bad)
	case trace.Fork:
		if flags&cloneThread != 0 {
			o.bump(NThreads, 1)
		} else {
			o.bump(NForks, 1)
		}
		if flags&cloneNew != 0 {
			o.bump(NNamespaces, 1)
		}
	case trace.Exit:
		o.bump(NExits, 1)
		if status, ok := e.Arg(i); ok && status&0x7f != 0 {
			o.bump(NExitSignals, 1)
		} else if ok && status>>8&0xff != 0 {
			o.bump(NExitErrors, 1)
		}
	case trace.FileOpen:
		switch {
		case ret < 0:
			o.bump(NOpenFailed, 1)
		case profile.OpensToWrite(flags):
			o.bump(NOpenWrites, 1)
		default:
			o.bump(NOpenReads, 1)
		}
	case trace.Connect:
		o.bump(NConnects, 1)
		if bad {
			o.bump(NConnectsFailed, 1)
		}
	case trace.Accept:
		if ret >= 0 {
			o.bump(NAccepts, 1)
		}
	default:
		if c, ok := plainCounters[kind]; ok {
			o.bump(c, 1)
		}
	}
}

// plainCounters are the kinds of which each event counts.
var plainCounters = map[trace.Kind]Counter{
	trace.Unlink: NUnlinks, trace.Rename: NRenames, trace.Link: NLinks, trace.Chmod: NChmods, trace.Chown: NChowns,
	trace.Bind: NBinds, trace.Listen: NListens, trace.SetUID: NSetUIDs, trace.SetGID: NSetGIDs, trace.CapSet: NCapSets,
	trace.Mount: NMounts, trace.Umount: NMounts, trace.Ptrace: NPtraces, trace.ModuleLoad: NModules, trace.BPF: NBPFs,
	trace.MemfdCreate: NMemfds, trace.Unshare: NNamespaces, trace.Setns: NNamespaces,
}

func countExec(o *openWindow, e *trace.EventBatch, i int, bad bool) {
	if bad {
		o.bump(NFailedExecs, 1)
		return
	}
	o.bump(NExecs, 1)
	if origin := e.ExeOrigin(i); origin == trace.OriginWritten || origin == trace.OriginMemfd {
		o.bump(NWrittenExecs, 1)
	}
}

// addItems notes the items of an event. Opened files, by far the most events,
// have their items remembered by path.
func (w *Windower) addItems(o *openWindow, e *trace.EventBatch, i int) {
	d := &w.dealer
	if e.Kind(i) != trace.FileOpen {
		d.items = profile.AppendRow(d.items[:0], e, i)
		for _, item := range d.items {
			d.text = append(append(append(d.text[:0], item.Kind...), ' '), item.Value...)
			w.addItem(o, d.text)
		}
		return
	}
	mode := 0
	if flags, _ := e.Flags(i); profile.OpensToWrite(flags) {
		mode = 1
	}
	if ret, _ := e.Ret(i); profile.Refusal(ret) {
		mode += 2
	} else if ret < 0 {
		return
	}
	text, ok := d.paths[mode][e.Path(i)]
	if !ok {
		if d.items = profile.AppendRow(d.items[:0], e, i); len(d.items) > 0 {
			text = []byte(d.items[0].String())
		}
		if len(d.paths[mode]) >= maxPaths {
			clear(d.paths[mode])
		}
		d.paths[mode][strings.Clone(e.Path(i))] = text
	}
	if text != nil {
		w.addItem(o, text)
	}
}

// addItem counts an item; text is profile.Item.String of it, of which nothing is kept.
func (w *Windower) addItem(o *openWindow, text []byte) {
	if n, ok := o.items[string(text)]; ok {
		*n = addSat(*n, 1)
		return
	}
	if len(o.items) >= w.opts.MaxItems {
		o.bump(NItemOverflow, 1)
		return
	}
	cost := 4 + len(text)/16 // in cells: a string costs more than a number
	o.cells += cost
	w.cells += cost
	o.items[string(text)] = new(uint32(1))
}
