"""Makes the golden values of test/deployments with NumPy: `python generate.py` writes strip.json beside itself.

The network is one linear layer on pixels; weights and images come from formulas that both sides evaluate. Image i has the
trusted images 0, 1, … laid over it, or the other ones if it is trusted itself. Everything is computed in float64.
"""

import json
import math
import pathlib
import statistics
import sys

import numpy

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "train" / "goldens"))
from make import fill  # noqa: E402

WIDTH, CLASSES, TRUSTED, INPUTS, COPIES, RATE = 12, 5, 12, 30, 5, 0.3
# Large enough for entropies that differ.
GAIN = 8


def images(seed, n):
    return numpy.floor((fill(seed, (n, WIDTH)).numpy() + 1) / 2 * 255.999) / 255


def logits(x):
    weight = fill(0, (CLASSES, WIDTH), math.sqrt(3 / WIDTH)).numpy() * GAIN
    return x @ weight.T + fill(1, (CLASSES,), 0.2).numpy()


def entropy(x):
    z = logits(x)
    p = numpy.exp(z) / numpy.exp(z).sum(1, keepdims=True)
    return -(p * numpy.log2(p)).sum(1).mean()


def mixed(x, over, mixing):
    return numpy.minimum(1, x + over) if mixing == "sum" else (x + over) / 2


def case(mixing):
    trusted, inputs = images(7, TRUSTED), images(9, INPUTS)
    known = []
    for i, x in enumerate(trusted):
        others = [j for j in range(TRUSTED) if j != i][:COPIES]
        known.append(entropy(mixed(x, trusted[others], mixing)))
    found = [entropy(mixed(x, trusted[:COPIES], mixing)) for x in inputs]
    normal = statistics.NormalDist(statistics.fmean(known), statistics.pstdev(known)).inv_cdf(RATE)
    # Three of the twelve are below the fourth, which is at most 30 %.
    empirical = sorted(known)[math.floor(RATE * TRUSTED)]
    answers = logits(inputs).argmax(1)
    served = {
        name: [int(k) if h >= limit else -1 for k, h in zip(answers, found)]
        for name, limit in {"normal": normal, "empirical": empirical}.items()
    }
    return {"mixing": mixing, "entropies": found, "normal": normal, "empirical": empirical, "served": served}


def main():
    record = {
        "versions": {"numpy": numpy.__version__},
        "trusted": TRUSTED,
        "inputs": INPUTS,
        "copies": COPIES,
        "falseRejection": RATE,
        "gain": GAIN,
        "cases": [case("sum"), case("mean")],
    }
    (HERE / "strip.json").write_text(json.dumps(record) + "\n")


main()
