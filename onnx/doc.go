// Package onnx writes forests in ONNX-ML (https://onnx.ai, operator set
// ai.onnx.ml 3), for other runtimes. A forest and the names of its features come
// in, the bytes of a model go out:
//
//	b, err := onnx.Isolation(f, onnx.Facts{Features: names})
//
// A model has one input, "features", float32 of shape [N, n], the columns in the
// order of the names, NaN where a value is missing, and one output, "score",
// float32 of shape [N, 1]: what Score of package forest gives.
//
// # Exactness
//
// Thresholds are float32 on both sides, so every row takes the same way down every
// tree. A value goes to the true branch when it is at most the threshold
// (BRANCH_LEQ), a missing one where nodes_missing_value_tracks_true says. The
// package forest takes infinities for the ends of float32; only a threshold that is
// the greatest float32 would tell, and is written as +Inf. Runtimes add the trees'
// answers in float32, where forest adds exactly: scores differ by about 1e-7.
//
// An isolation forest is a TreeEnsembleRegressor of path lengths, and operators
// for 2^(-E[h]/c(psi)); the distance from the box and what it takes from the path
// (package forest, box) are operators in double. There is no expm1 in ONNX: below
// a distance of 1e-4, (1-exp(-d))/d is written as 1 - d/2 + d²/6, which is within
// 1e-13 of it. A random forest is a TreeEnsembleRegressor of the probability of
// class 1.
package onnx
