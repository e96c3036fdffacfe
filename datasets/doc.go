// Package datasets owns what is known of each public dataset: where it comes
// from, under which licence, what its files hash to, what its labels mean, the
// protocol its authors measured by and the figures they published. A loader for
// each stands in a package below this one.
//
//	d, ok := datasets.Lookup("docker-cve")
//	err := d.Verify("path/to/docker-cve", nil)
package datasets
