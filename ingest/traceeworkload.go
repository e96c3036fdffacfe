package ingest

// The structure of Tracee's events since v1beta1.Event became its output: what was
// beside each other stands in workload, what was args in data. By the marshaler of
// aquasecurity/tracee (api/v1beta1/event_json.go) and the example of its
// documentation, in which numbers are {"value": 1}, times seconds and nanos, and
// values named by their type.

// beginsLikeWorkload finds the names that every such event with a process has.
func beginsLikeWorkload(head []byte) bool {
	return contains(head, `"timestamp"`) && contains(head, `"workload"`) && contains(head, `"process"`) &&
		contains(head, `"name"`) && contains(head, `"thread"`) && !contains(head, `"eventName"`)
}

// parseWhen reads a time: RFC 3339, seconds and nanos, or ns since 1970.
func parseWhen(j *jsonScan, name string) (ns int64, ok bool) {
	switch j.peek() {
	case '{':
		for key := range j.fields {
			switch key {
			case "seconds":
				var seconds int64
				if seconds, ok = j.integer(key); ok && (seconds < 0 || seconds > 7e9) {
					j.wrong(name, "%d seconds are no time", seconds)
					continue
				}
				ns += seconds * 1e9
			case "nanos":
				nanos, _ := j.integer(key)
				ns += max(0, min(nanos, 999_999_999))
			default:
				j.skip()
			}
		}
		return ns, ok
	case '"':
		text := j.str(name)
		if ns, ok = parseTime(text); !ok {
			j.wrong(name, "%v", badTime(text))
		}
		return ns, ok
	}
	return j.integer(name)
}

// wrapped reads a number that may stand in an object, as protobuf's wrappers do.
func wrapped(j *jsonScan, name string) (n int64, ok bool) {
	if j.peek() != '{' {
		return j.integer(name)
	}
	for key := range j.fields {
		if key == "value" {
			n, ok = j.integer(name)
		} else {
			j.skip()
		}
	}
	return n, ok
}

func wrapped32(j *jsonScan, name string) int32 {
	n, _ := wrapped(j, name)
	if n != int64(int32(n)) {
		j.wrong(name, "%d is no number of 32 bits", n)
		return 0
	}
	return int32(n)
}

func (t *traceeReader) parseWorkload(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "process":
			t.parseProcess(j)
		case "container":
			t.parseContainer(j)
		case "k8s", "pod":
			t.parsePod(j)
		default:
			j.skip()
		}
	}
}

func (t *traceeReader) parseProcess(j *jsonScan) {
	var seen uint64
	for key := range j.fields {
		switch key {
		case "executable":
			t.exe = parseNamed(j, "path")
		case "host_pid", "hostPid":
			j.once(&seen, 0, "host_pid")
			t.pid = wrapped32(j, key)
		case "pid":
			t.inside = wrapped32(j, key)
		case "real_user", "realUser":
			for key := range j.fields {
				if key == "id" {
					t.uid, t.hasUID = wrapped(j, key)
				} else {
					j.skip()
				}
			}
		case "thread":
			t.parseThread(j)
		case "ancestors":
			t.parseAncestors(j)
		default:
			j.skip()
		}
	}
}

func (t *traceeReader) parseThread(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "name":
			t.comm = j.str(key)
		case "start_time", "startTime":
			t.began, _ = parseWhen(j, key)
		case "host_tid", "hostTid":
			t.tid = wrapped32(j, key)
		case "compat":
			t.compat, _ = j.boolean(key)
		default:
			j.skip()
		}
	}
}

// parseAncestors takes the first of them, the parent.
func (t *traceeReader) parseAncestors(j *jsonScan) {
	first := true
	for range j.elements {
		if !first {
			j.skip()
			continue
		}
		first = false
		for key := range j.fields {
			if key == "host_pid" || key == "hostPid" {
				t.ppid = wrapped32(j, key)
			} else {
				j.skip()
			}
		}
	}
}

func (t *traceeReader) parsePod(j *jsonScan) {
	for key := range j.fields {
		switch key {
		case "pod":
			t.parsePod(j)
		case "name":
			t.pod = j.str(key)
		case "uid":
			t.podUID = j.str(key)
		case "namespace":
			if j.peek() == '{' {
				t.namespace = parseNamed(j, "name")
			} else {
				t.namespace = j.str(key)
			}
		default:
			j.skip()
		}
	}
}

// parseImage reads a container's image: a text, or name, id and digests.
func (t *traceeReader) parseImage(j *jsonScan) {
	if j.peek() != '{' {
		t.image = j.str("image")
		return
	}
	for key := range j.fields {
		switch key {
		case "name":
			t.image = j.str(key)
		case "repo_digests", "repoDigests":
			for range j.elements {
				t.digest = j.str(key)
			}
		default:
			j.skip()
		}
	}
}

// returned takes what data says of the call's return, which stands among the
// arguments.
func (t *traceeReader) returned() {
	if a := t.arg("returnValue"); a != nil && a.has && !t.hasRet {
		t.ret, t.hasRet = a.number, true
	}
}
