// Package train turns windows of features into a detector.
//
// FEATURES files (feature/FORMAT.md) come in, one or several, and labels where
// there are any; a *detector.Detector goes out. Which windows it learns from is
// decided here, by container and by time, never by random rows: the rest is
// left for evaluate, which knows from the detector what it must not use.
//
//	d, report, err := train.Run(ctx, []string{"features.parquet"}, opts)
//	err = d.Save("web.mayfly")
package train
