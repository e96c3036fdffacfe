package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"mayfly/detector"
	"mayfly/rule"
	"mayfly/trace"
)

// planFile is a file of a response plan.
type planFile struct {
	name    string
	content []byte
}

// What may stand in a command of a plan: anything else is left out and said.
var (
	containerHex = regexp.MustCompile(`^[0-9a-f]{12,64}$`)
	dnsLabel     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	dnsName      = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	cgroupPath   = regexp.MustCompile(`^/[-A-Za-z0-9_.:@/]+$`)
)

// responseFiles are the files of a plan but for its evidence.
func responseFiles(f *detector.Finding, story *Story, c trace.Container, cut int64) ([]planFile, error) {
	finding, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, err
	}
	files := []planFile{{"finding.json", append(finding, '\n')}}
	var left []string
	if pause, resume, why := pauseCommands(c); why == "" {
		files = append(files, planFile{"pause.sh", script(f, "Stops every process of the container where it is; memory and files stay.", pause)},
			planFile{"resume.sh", script(f, "Takes pause.sh back.", resume)})
	} else {
		left = append(left, "pause.sh: "+why)
	}
	switch {
	case c.Pod == "" && c.PodNamespace == "":
		left = append(left, "quarantine.yaml: the container is in no pod that is known")
	case c.NetworkMode == "host":
		left = append(left, "quarantine.yaml: the pod uses the host's network, which NetworkPolicy does not reach")
	case !dnsLabel.MatchString(c.PodNamespace) || !dnsName.MatchString(c.Pod):
		left = append(left, "quarantine.yaml: the names of pod and namespace are none that Kubernetes gives")
	default:
		policy, err := rule.QuarantinePolicy(c.PodNamespace)
		if err != nil {
			return nil, err
		}
		files = append(files, planFile{"quarantine.yaml", policy},
			planFile{"quarantine.sh", script(f, "Cuts the pod off from the network: the policy first, then the label that it waits for.", []string{
				`kubectl apply -f "$(dirname "$0")/quarantine.yaml"`,
				"kubectl --namespace " + quoteShell(c.PodNamespace) + " label --overwrite pod " + quoteShell(c.Pod) + " " + quoteShell(rule.QuarantineLabel+"=true")})},
			planFile{"release.sh", script(f, "Takes quarantine.sh back; the policy stays, for other pods may have the label.", []string{
				"kubectl --namespace " + quoteShell(c.PodNamespace) + " label pod " + quoteShell(c.Pod) + " " + quoteShell(rule.QuarantineLabel+"-")})})
	}
	readme, err := responseReadme(f, story, files, left, cut)
	if err != nil {
		return nil, err
	}
	return append(files, planFile{"README.md", readme}), nil
}

// pauseCommands stop a container without ending it, and let it go on.
func pauseCommands(c trace.Container) (pause, resume []string, why string) {
	if !containerHex.MatchString(c.ContainerID) {
		return nil, nil, "the container's id is none that a runtime gives"
	}
	id := quoteShell(c.ContainerID)
	switch c.Runtime {
	case "docker", "podman":
		return []string{c.Runtime + " pause " + id}, []string{c.Runtime + " unpause " + id}, ""
	case "containerd":
		namespace := "default"
		if c.Pod != "" || c.PodUID != "" {
			namespace = "k8s.io"
		}
		return []string{"ctr --namespace " + namespace + " tasks pause " + id}, []string{"ctr --namespace " + namespace + " tasks resume " + id}, ""
	}
	if cgroupPath.MatchString(c.CgroupPath) && !strings.Contains(c.CgroupPath, "..") {
		file := quoteShell("/sys/fs/cgroup" + c.CgroupPath + "/cgroup.freeze")
		return []string{"echo 1 > " + file}, []string{"echo 0 > " + file}, ""
	}
	return nil, nil, "neither the container's runtime nor its cgroup is known"
}

// quoteShell writes a word for a POSIX shell.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// script is a shell script that nobody has run yet.
func script(f *detector.Finding, what string, commands []string) []byte {
	return []byte("#!/bin/sh\n# Of finding " + f.Mayfly.ID + ". mayfly wrote this and did not run it: read it first.\n# " + what + "\nset -eu\n" +
		strings.Join(commands, "\n") + "\n")
}

// responseReadme tells a person what was found and what the files are for.
func responseReadme(f *detector.Finding, story *Story, files []planFile, left []string, cut int64) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Finding %s\n\nNothing here was carried out: mayfly writes plans, people and robots carry them out.\n\n", f.Mayfly.ID)
	at := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }
	fmt.Fprintf(&b, "Container %s on host %s, %s to %s.\n\n", markdown(f.Mayfly.ContainerID), markdown(f.Hostname), at(f.Mayfly.FromNS), at(f.Mayfly.ToNS))
	b.WriteString("| file | what it is |\n|---|---|\n")
	what := map[string]string{
		"finding.json": "the finding, all of it", "pause.sh": "stops the container's processes without ending them, as root on its host", "resume.sh": "takes that back",
		"quarantine.yaml": "NetworkPolicy that cuts pods with a label off", "quarantine.sh": "applies it and gives this pod the label", "release.sh": "takes the label away",
	}
	for _, file := range files {
		fmt.Fprintf(&b, "| `%s` | %s |\n", file.name, what[file.name])
	}
	b.WriteString("| `evidence/trace` | what the container did around that time, as a trace: `mayfly inspect evidence/trace` |\n" +
		"| `evidence/profile.json` | what its workload did while it was learned, where it was |\n" +
		"| `SHA256SUMS` | sums of all these files: `sha256sum -c SHA256SUMS` |\n\n")
	for _, l := range left {
		fmt.Fprintf(&b, "Left out: %s.\n", markdown(l))
	}
	if cut > 0 {
		fmt.Fprintf(&b, "Left out: %d more rows of evidence; the trace that was replayed has them.\n", cut)
	}
	b.WriteString("\n## What happened, and what to do\n\n")
	var told bytes.Buffer
	if err := story.WriteText(&told, false); err != nil {
		return nil, err
	}
	for line := range strings.Lines(told.String()) {
		b.WriteString(strings.TrimRight("    "+line, " \n") + "\n") // as code: nothing in it is markup
	}
	return b.Bytes(), nil
}

// markdown is text in which nothing is markup, on one line.
func markdown(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune("`*_<>[]|\\!#&", r) {
			return '.'
		}
		return r
	}, s)
}
