package ingest

func (p *tetragonPod) parse(j *jsonScan) {
	if !j.object() {
		return
	}
	for first := true; ; first = false {
		key, ok := j.key(first)
		if !ok {
			return
		}
		switch string(key) {
		case "namespace":
			p.namespace = j.str("namespace")
		case "name":
			p.name = j.str("name")
		case "uid":
			p.uid = j.str("uid")
		case "workload":
			p.workload = j.str("workload")
		case "workload_kind":
			p.workloadKind = j.str("workload_kind")
		case "pod_labels", "labels":
			p.parseLabels(j)
		case "container":
			p.parseContainer(j)
		default:
			j.skip()
		}
	}
}

func (p *tetragonPod) parseLabels(j *jsonScan) {
	switch j.peek() {
	case '{':
		if !j.object() {
			return
		}
		for first := true; ; first = false {
			key, ok := j.key(first)
			if !ok {
				return
			}
			p.addLabel(j, key, j.str("pod_labels"))
		}
	case '[': // of older versions: key=value
		if !j.array() {
			return
		}
		for first := true; j.element(first); first = false {
			p.labels = append(p.labels, j.str("labels"))
		}
	default:
		j.skip()
	}
}

// addLabel keeps key=value in the scanner's scratch, as its other texts.
func (p *tetragonPod) addLabel(j *jsonScan, key []byte, value string) {
	from := len(j.scratch)
	j.scratch = append(append(append(j.scratch, key...), '='), value...)
	p.labels = append(p.labels, view(j.scratch[from:]))
}

func (p *tetragonPod) parseContainer(j *jsonScan) {
	if !j.object() {
		return
	}
	var seen uint64
	for first := true; ; first = false {
		key, ok := j.key(first)
		if !ok {
			return
		}
		switch string(key) {
		case "id":
			j.once(&seen, 0, "id")
			p.id = j.str("id")
		case "name":
			p.container = j.str("name")
		case "start_time":
			p.start = j.str("start_time")
		case "image":
			p.parseImage(j)
		case "security_context":
			p.parseSecurity(j)
		default:
			j.skip()
		}
	}
}

func (p *tetragonPod) parseImage(j *jsonScan) {
	if !j.object() {
		return
	}
	for first := true; ; first = false {
		key, ok := j.key(first)
		if !ok {
			return
		}
		switch string(key) {
		case "id":
			p.imageID = j.str("id")
		case "name":
			p.image = j.str("name")
		default:
			j.skip()
		}
	}
}

func (p *tetragonPod) parseSecurity(j *jsonScan) {
	if !j.object() {
		return
	}
	for first := true; ; first = false {
		key, ok := j.key(first)
		if !ok {
			return
		}
		if string(key) == "privileged" {
			p.privileged, p.hasPrivileged = j.boolean("privileged")
		} else {
			j.skip()
		}
	}
}
