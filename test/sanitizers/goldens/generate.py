"""Makes the golden values of test/sanitizers with NumPy: `python generate.py` writes *.json beside itself.

Latents are pixels in [0,1], which both sides draw from the same formula; some images are marked in their first four
values. Everything is computed in float64 by the textbook's formula: singular vectors by an SVD, independent components
by FastICA, the best split in two by trying all of them, silhouettes point by point.
"""

import itertools
import json
import pathlib
import sys

import numpy

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "train" / "goldens"))
from make import fill  # noqa: E402

VERSIONS = {"numpy": numpy.__version__}
WIDTH = 12


def latents(seed, n, marked):
    """n rows of twelve values in steps of 1/255."""
    values = numpy.floor((fill(seed, (n, WIDTH)).numpy() + 1) / 2 * 255.999)
    values[marked, :4] = values[marked, :4] // 16 + 239
    return values / 255


def spectral(x):
    centred = x - x.mean(0)
    _, _, v = numpy.linalg.svd(centred, full_matrices=False)
    return (centred @ v[0]) ** 2


def principal(x, k):
    centred = x - x.mean(0)
    u, s, _ = numpy.linalg.svd(centred, full_matrices=False)
    return (u * s)[:, :k]


def independent(x, k):
    """FastICA with tanh and symmetric decorrelation (Hyvärinen 1999)."""
    whitened = principal(x, k)
    whitened = whitened / numpy.sqrt((whitened**2).mean(0))

    def decorrelated(w):
        u, _, v = numpy.linalg.svd(w)
        return u @ v

    w = decorrelated(fill(3, (k, k)).numpy())
    for _ in range(500):
        y = whitened @ w.T
        g = numpy.tanh(y)
        w = decorrelated(g.T @ whitened / len(x) - (1 - g**2).mean(0)[:, None] * w)
    return whitened @ w.T


def split(z):
    """The clusters with the least sum of squared distances to their means, the smaller one as True."""
    best = None
    for rest in itertools.product([False, True], repeat=len(z) - 1):
        one = numpy.array([False, *rest])
        if not one.any():
            continue
        error = sum(((part - part.mean(0)) ** 2).sum() for part in (z[one], z[~one]))
        if best is None or error < best[0]:
            best = (error, one)
    one = best[1]
    return one if 2 * one.sum() <= len(z) else ~one


def silhouette(z, one):
    total = 0
    for i in range(len(z)):
        distance = numpy.sqrt(((z - z[i]) ** 2).sum(1))
        own, other = one == one[i], one != one[i]
        if own.sum() == 1:
            continue
        a, b = distance[own].sum() / (own.sum() - 1), distance[other].mean()
        total += (b - a) / max(a, b)
    return total / len(z)


def clustered(z):
    one = split(z)
    smaller, larger = z[one].mean(0), z[~one].mean(0)
    score = (((z - larger) ** 2).sum(1) - ((z - smaller) ** 2).sum(1)) / ((smaller - larger) ** 2).sum()
    return {"scores": score.tolist(), "smaller": one.tolist(), "silhouette": silhouette(z, one)}


def write(name, cases):
    text = json.dumps({"versions": VERSIONS, "cases": cases})
    (HERE / f"{name}.json").write_text(text + "\n")


def main():
    # More images than values, fewer, and one alone.
    classes = [(11, 30, [2, 9, 17, 28]), (12, 8, [1, 5]), (13, 1, [])]
    write(
        "spectral-signatures",
        [{"seed": s, "n": n, "marked": m, "scores": spectral(latents(s, n, m)).tolist()} for s, n, m in classes],
    )
    classes = [(21, 15, [0, 6, 11]), (22, 9, [3, 4]), (23, 13, [])]
    write(
        "activation-clustering",
        [
            {
                "seed": s,
                "n": n,
                "marked": m,
                "ica": clustered(independent(latents(s, n, m), 3)),
                "pca": clustered(principal(latents(s, n, m), 3)),
            }
            for s, n, m in classes
        ],
    )


main()
