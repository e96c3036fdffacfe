#!/usr/bin/env python3
"""Writes metrics.json: cases with the figures that scikit-learn gives for them.

Run by hand when cases change (Debian: apt install python3-sklearn):

    /usr/bin/python3 metrics.py > metrics.json
"""
import json

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

RATES = [0.001, 0.01, 0.05, 0.2]


def case(name, scores, attack):
    scores, attack = np.asarray(scores, float), np.asarray(attack, int)
    fpr, tpr, _ = roc_curve(attack, scores, drop_intermediate=False)
    return {
        "name": name,
        "scores": scores.tolist(),
        "attack": [bool(a) for a in attack],
        "auroc": roc_auc_score(attack, scores),
        "auprc": average_precision_score(attack, scores),
        "rates": RATES,
        "recalls": [float(tpr[fpr <= rate].max()) for rate in RATES],
    }


def main():
    rng = np.random.default_rng(7)
    attack = rng.random(400) < 0.2
    normal = rng.normal(0, 1, 400)
    cases = [
        case("perfect", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]),
        case("reversed", [0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1]),
        case("all tied", [0.5] * 6, [0, 1, 0, 1, 0, 0]),
        case("scikit-learn's example", [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]),
        case("ties across classes", [1, 2, 2, 2, 3, 3, 4, 5, 5], [0, 0, 1, 0, 1, 0, 1, 1, 0]),
        case("negative scores", [-3, -2, -1, -2, -5], [0, 1, 1, 0, 0]),
        case("overlapping", normal + 1.5 * attack, attack),
        case("rounded, many ties", np.round(normal + 1.5 * attack, 1), attack),
        case("one attack in many", np.r_[rng.random(300), 0.97], [0] * 300 + [1]),
    ]
    print(json.dumps({"scikit-learn": sklearn.__version__, "cases": cases}))


if __name__ == "__main__":
    main()
