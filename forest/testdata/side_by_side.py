#!/usr/bin/python3
"""Runs scikit-learn and this package on the same tables, in turns.

    apt-get install -y python3-sklearn
    /usr/bin/python3 forest/testdata/side_by_side.py [--rounds 3] [--jobs 1] [--only score-isolation] [--dir DIR]

With --only score-random both sides fit once, and their forests stay in the folder of
--dir, so that a second run begins to measure at once. scikit-learn, whose fit takes minutes,
then fits 10 trees, which it scores ten times over: as much work as 100 trees, in
somewhat less memory, which is in its favour.

Writes the tables (column after column, float32; classes, a byte each) into a
folder, runs scikit-learn in this process and BenchmarkTable of table_test.go on
the same files, round after round, and prints the median of each and of the ratios.
Time is processor time of all threads, which other work on the machine disturbs
less; wall time stands beside it.

Tables, 64 columns of normal noise, seeds fixed:
isolation  1,000,000 rows to fit from; 100 trees x 256 rows.
random     80,000 rows to train on, 20,000 to test; class 1 where
           x0 + x1 x2 + |x3| + 0.7 (x4 + x5) + 0.3 noise > 2, and 1.2 % of the
           classes flipped. 100 trees, full depth, balanced classes.
"""
import argparse
import os
import pickle
import re
import statistics
import subprocess
import tempfile
import time

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

FEATURES, ISOLATION_ROWS, TRAIN_ROWS, TEST_ROWS = 64, 1_000_000, 80_000, 20_000
REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def labelled(seed, rows):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, FEATURES), dtype=np.float32)
    s = x[:, 0] + x[:, 1] * x[:, 2] + np.abs(x[:, 3]) + 0.7 * (x[:, 4] + x[:, 5])
    y = s + 0.3 * rng.standard_normal(rows) > 2
    return x, (y ^ (rng.random(rows) < 0.012)).astype(np.uint8)


def write(folder, only):
    """Writes the tables of a work where they are not there yet, and returns them."""
    tables = {}
    if "random" not in only:
        tables["isolation.f32"] = np.random.default_rng(1).standard_normal((ISOLATION_ROWS, FEATURES), dtype=np.float32)
    for name, seed, rows in (("train", 1, TRAIN_ROWS), ("test", 2, TEST_ROWS)):
        tables[name + ".f32"], tables[name + ".u8"] = labelled(seed, rows)
    for name, table in tables.items():
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            np.asfortranarray(table).ravel(order="F").tofile(path)
    return tables


def timed(work):
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def repeated(tables, folder, jobs):
    """A random forest of 10 trees, each ten times over, fitted once for a folder."""
    path = os.path.join(folder, f"sklearn-{sklearn.__version__}.pickle")
    if os.path.exists(path):
        with open(path, "rb") as file:
            m = pickle.load(file)
    else:
        m = RandomForestClassifier(10, class_weight="balanced", random_state=0, n_jobs=jobs)
        m.fit(tables["train.f32"], tables["train.u8"])
        with open(path, "wb") as file:
            pickle.dump(m, file)
    m.estimators_, m.n_estimators, m.n_jobs = m.estimators_ * 10, 100, jobs
    return m


def scikit(tables, folder, only, jobs, seed):
    """Yields (work, processor seconds, wall seconds, figures)."""
    if only in ("", "fit-isolation", "score-isolation"):
        m = IsolationForest(n_estimators=100, max_samples=256, random_state=seed, n_jobs=jobs)
        yield "fit-isolation", *timed(lambda: m.fit(tables["isolation.f32"])), {}
        if only != "fit-isolation":
            yield "score-isolation", *timed(lambda: m.score_samples(tables["isolation.f32"])), {}
    if only == "score-random":
        m = repeated(tables, folder, jobs)
        yield "score-random", *timed(lambda: m.predict_proba(tables["test.f32"])), {}
    if only in ("", "fit-random"):
        m = RandomForestClassifier(100, class_weight="balanced", random_state=seed, n_jobs=jobs)
        took = timed(lambda: m.fit(tables["train.f32"], tables["train.u8"]))
        p = m.predict_proba(tables["test.f32"])[:, 1]
        y = tables["test.u8"]
        yield "fit-random", *took, {"AUROC": roc_auc_score(y, p), "AUPRC": average_precision_score(y, p)}
        if only == "":
            yield "score-random", *timed(lambda: m.predict_proba(tables["test.f32"])), {}


def ours(folder, only, jobs, seed):
    """The same of BenchmarkTable. Scoring has a work for each path, "score-random/AVX2"."""
    bench = subprocess.run(
        ["go", "test", "-run", "xxx", "-bench", f"^BenchmarkTable$/^{only or '.*'}$", "-benchtime", "5x" if only.startswith("score") else "1x", "./forest",
         "-args", "-table", folder, "-threads", str(jobs), "-table-seed", str(seed)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for line in bench.stdout.splitlines():
        if not line.startswith("BenchmarkTable/"):
            continue
        words = line.split()
        units = {unit: float(v) for v, unit in zip(words[2::2], words[3::2])}
        work = re.sub(r"-\d\d?$", "", words[0].split("/", 1)[1])  # without the processors; AVX-512 stays
        figures = {k: v for k, v in units.items() if k in ("AUROC", "AUPRC")}
        yield work, units["cpu-ns/op"] / 1e9, units["ns/op"] / 1e9, figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--dir", default="")
    args = parser.parse_args()
    folder = os.path.abspath(args.dir) if args.dir else tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    tables = write(folder, args.only)
    seen = {}
    for seed in range(args.rounds):
        for side, runs in (("scikit-learn", scikit(tables, folder, args.only, args.jobs, seed)), ("mayfly", ours(folder, args.only, args.jobs, seed))):
            for work, cpu, wall, figures in runs:
                seen.setdefault(work, {}).setdefault(side, []).append((cpu, wall, figures))
                print(f"{work:14} {side:13} round {seed}: {cpu:9.4f} s processor, {wall:9.4f} s wall",
                      " ".join(f"{k} {v:.4f}" for k, v in figures.items()), flush=True)
    print(f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}, {args.jobs} jobs")
    for work, sides in seen.items():
        if "mayfly" not in sides:
            continue
        sides.setdefault("scikit-learn", seen.get(work.split("/")[0], {}).get("scikit-learn"))
        median = {s: [statistics.median(r[k] for r in runs) for k in (0, 1)] for s, runs in sides.items()}
        ratios = [[a[k] / b[k] for a, b in zip(sides["scikit-learn"], sides["mayfly"])] for k in (0, 1)]
        print(f"{work}: processor {median['scikit-learn'][0]:.4f} / {median['mayfly'][0]:.4f} s, ratio {statistics.median(ratios[0]):.1f}"
              f" ({min(ratios[0]):.1f}-{max(ratios[0]):.1f}); wall {median['scikit-learn'][1]:.4f} / {median['mayfly'][1]:.4f} s,"
              f" ratio {statistics.median(ratios[1]):.1f} ({min(ratios[1]):.1f}-{max(ratios[1]):.1f})")


if __name__ == "__main__":
    main()
