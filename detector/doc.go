// Package detector owns what train writes and replay reads: the learned feature
// space with its profiles, the forest and the threshold, in one safe, versioned
// file (FORMAT.md, beside this file), and the finding that a score above the
// threshold becomes.
//
// Windows come in (feature.Schema, as Arrow record batches), scores go out:
//
//	d, err := detector.Load("web.mayfly")
//	s := d.NewScorer()
//	scored, err := s.Score(rec) // one score per window; higher is stranger
//	for i, score := range scored.Scores {
//		if score > d.Manifest.Threshold { … }
//	}
package detector
