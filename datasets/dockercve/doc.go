// Package dockercve reads the dataset docker-cve: system-call counts of
// containers, in windows of 100 ms, before and while real exploits run.
//
//	set, err := dockercve.Open("docker-cve")
//	w, err := set.Windows("CVE-2014-6271")
//	for rec, err := range w.Records(ctx, dockercve.Train) { … } // feature.Schema
package dockercve
