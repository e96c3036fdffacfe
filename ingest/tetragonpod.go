package ingest

func (p *tetragonPod) parse(j *jsonScan) {
	for key := range j.fields {
		switch key {
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
		for key := range j.fields {
			p.addLabel(j, key, j.str("pod_labels"))
		}
	case '[': // of older versions: key=value
		for range j.elements {
			p.labels = append(p.labels, j.str("labels"))
		}
	default:
		j.skip()
	}
}

// addLabel keeps key=value in the scanner's scratch, as its other texts.
func (p *tetragonPod) addLabel(j *jsonScan, key, value string) {
	from := len(j.scratch)
	j.scratch = append(append(append(j.scratch, key...), '='), value...)
	p.labels = append(p.labels, view(j.scratch[from:]))
}

func (p *tetragonPod) parseContainer(j *jsonScan) {
	var seen uint64
	for key := range j.fields {
		switch key {
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
	for key := range j.fields {
		switch key {
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
	for key := range j.fields {
		if key == "privileged" {
			p.privileged, p.hasPrivileged = j.boolean("privileged")
		} else {
			j.skip()
		}
	}
}
