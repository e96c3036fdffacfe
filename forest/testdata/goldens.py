#!/usr/bin/python3
"""Writes the goldens that parity_test.go reads, with scikit-learn.

    apt-get install -y python3-sklearn
    /usr/bin/python3 forest/testdata/goldens.py

table.csv          a synthetic table: eight features and a label (1 = attack)
isolation.forest   trees of a scikit-learn isolation forest, in the form of FORMAT.md
random.forest      trees of a scikit-learn random forest, in the form of FORMAT.md
scores.csv         what scikit-learn scores the rows of table.csv with them
auroc.json         mean AUROC of scikit-learn's own forests on table.csv over the seeds 0 to 19
"""
import json
import os
import struct

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.metrics import roc_auc_score

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = range(20)
TRAIN = 700  # rows that the random forests train on; the others test


def table():
    """1,000 rows; attacks are shifted in two features, and wide in a third."""
    rng = np.random.default_rng(4)
    y = (rng.random(1000) < 0.1).astype(np.uint8)
    x = rng.normal(size=(1000, 8))
    x[:, 1] = np.exp(x[:, 1])
    x[:, 2] = rng.poisson(2, 1000)
    x[:, 3] = x[:, 0] * x[:, 4]
    a = y == 1
    x[a, 0] += 1.0
    x[a, 5] += 1.5
    x[a, 6] *= 2.0
    return np.round(x, 3).astype(np.float32), y


def preorder(tree, features, leaf):
    """The nodes of a scikit-learn tree in the form of FORMAT.md, and their number."""
    out, n, stack = [], 0, [0]
    while stack:
        i = stack.pop()
        n += 1
        if tree.children_left[i] < 0:
            out.append(leaf(i))
            continue
        # x <= threshold holds for the same float32 values after rounding down.
        t = np.float32(tree.threshold[i])
        if t > tree.threshold[i]:
            t = np.nextafter(t, np.float32(-np.inf))
        out.append(struct.pack("<IfI", features[tree.feature[i]], t, 0))
        stack += [tree.children_right[i], tree.children_left[i]]
    return b"".join(out), n


def write_forest(name, kind, features, trees, own):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(struct.pack("<4sHHII", b"MFOR", 1, kind, features, len(trees)) + own)
        f.write(b"".join(struct.pack("<I", n) for _, n in trees))
        f.write(b"".join(b for b, _ in trees))


def isolation(x):
    model = IsolationForest(n_estimators=25, max_samples=128, random_state=1).fit(x)
    trees = []
    for estimator in model.estimators_:
        t = estimator.tree_
        leaf = lambda i: struct.pack("<IfI", 0xFFFFFFFF, 0, t.n_node_samples[i])
        trees.append(preorder(t, np.arange(x.shape[1]), leaf))
    write_forest("isolation.forest", 1, x.shape[1], trees, struct.pack("<II", model.max_samples_, 0))
    return -model.score_samples(x)


def random(x, y):
    model = RandomForestClassifier(n_estimators=10, class_weight="balanced", random_state=1).fit(x[:TRAIN], y[:TRAIN])
    trees = []
    for estimator in model.estimators_:
        t = estimator.tree_
        share = t.value[:, 0, 1] / t.value[:, 0, :].sum(axis=1)
        leaf = lambda i: struct.pack("<Iff", 0xFFFFFFFF, share[i], t.weighted_n_node_samples[i])
        trees.append(preorder(t, np.arange(x.shape[1]), leaf))
    nan = float("nan")
    own = struct.pack("<Qddd", 0, nan, nan, nan) + struct.pack("<8d", *model.feature_importances_)
    write_forest("random.forest", 2, x.shape[1], trees, own)
    return model.predict_proba(x)[:, 1]


def main():
    x, y = table()
    names = [f"f{i}" for i in range(x.shape[1])]
    with open(os.path.join(HERE, "table.csv"), "w") as f:
        f.write(",".join(names + ["label"]) + "\n")
        for row, label in zip(x, y):
            f.write(",".join(f"{v:g}" if v == np.float32(f"{v:g}") else repr(float(v)) for v in row) + f",{label}\n")
    scores = np.stack([isolation(x), random(x, y)], axis=1)
    with open(os.path.join(HERE, "scores.csv"), "w") as f:
        f.write("isolation,random\n")
        f.writelines(f"{a:.9g},{b:.9g}\n" for a, b in scores)
    iso = [roc_auc_score(y, -IsolationForest(random_state=s).fit(x).score_samples(x)) for s in SEEDS]
    rnd = []
    for s in SEEDS:
        m = RandomForestClassifier(class_weight="balanced", random_state=s).fit(x[:TRAIN], y[:TRAIN])
        rnd.append(roc_auc_score(y[TRAIN:], m.predict_proba(x[TRAIN:])[:, 1]))
    with open(os.path.join(HERE, "auroc.json"), "w") as f:
        json.dump({
            "scikit-learn": sklearn.__version__, "seeds": len(SEEDS), "train_rows": TRAIN,
            "isolation": {"mean": np.mean(iso), "sd": np.std(iso, ddof=1)},
            "random": {"mean": np.mean(rnd), "sd": np.std(rnd, ddof=1)},
        }, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
