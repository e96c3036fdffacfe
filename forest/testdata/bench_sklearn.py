#!/usr/bin/python3
"""Times scikit-learn on tables of the distribution that bench_test.go uses.

    OMP_NUM_THREADS=1 /usr/bin/python3 forest/testdata/bench_sklearn.py

Prints one line per work: processor time on one core, the least of the repeats, in
the units that bench_test.go reports as cpu-ns/op.
"""
import time

import numpy as np
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.metrics import roc_auc_score

FEATURES, SCORE_ROWS, RANDOM_ROWS = 64, 100_000, 20_000


def attacks(seed, rows):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    y = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=rows) / 2 > 2
    return x, y.astype(np.uint8)


def clock(name, repeats, work, rows=0, note=""):
    best = min(timed(work) for _ in range(repeats))
    rate = f"{rows / best / 1e6:10.4f} Mrows/s" if rows else ""
    print(f"{name:28} {best * 1e9:16.0f} cpu-ns/op {rate} {note}", flush=True)


def timed(work):
    t = time.process_time()
    work()
    return time.process_time() - t


def main():
    x, _ = attacks(1, SCORE_ROWS)
    model = IsolationForest(n_estimators=100, max_samples=256, random_state=1)
    clock("FitIsolation", 3, lambda: model.fit(x))
    clock("ScoreIsolation", 2, lambda: model.score_samples(x), SCORE_ROWS)
    x, y = attacks(1, RANDOM_ROWS)
    fresh, truth = attacks(2, RANDOM_ROWS)
    model = RandomForestClassifier(n_estimators=100, class_weight="balanced", random_state=1)
    clock("FitRandom", 1, lambda: model.fit(x, y))
    auroc = roc_auc_score(truth, model.predict_proba(fresh)[:, 1])
    clock("ScoreRandom", 2, lambda: model.predict_proba(fresh), RANDOM_ROWS, f"{auroc:.4f} AUROC")


if __name__ == "__main__":
    main()
