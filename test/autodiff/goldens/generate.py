"""Makes `operators.json`, PyTorch's gradients for every case of ../cases.json: `python generate.py`.

Operands come from a formula that both sides evaluate, so the file holds results only: for the loss
L = sum(y * r), with r from the formula too, y's shape and dL/d(operand). Everything is computed in
float64, from operands that float32 holds exactly.
"""

import json
import math
import pathlib

import numpy
import torch
import torch.nn.functional as F  # noqa: F401 (used by the expressions of the cases)

HERE = pathlib.Path(__file__).parent


def fill(seed: int, shape) -> numpy.ndarray:
    """Uniform in (-1, 1): a hash of seed and position, as `fill` in test/train/fill.ts."""
    i = numpy.arange(1, math.prod(shape) + 1, dtype=numpy.uint64)
    x = (i * numpy.uint64(2654435761) + numpy.uint64(seed * 40503 * 65537)) & numpy.uint64(0xFFFFFFFF)
    x ^= x >> numpy.uint64(15)
    x = (x * numpy.uint64(2246822519)) & numpy.uint64(0xFFFFFFFF)
    x ^= x >> numpy.uint64(13)
    u = x.astype(numpy.float64) / 2**32
    return (2 * u - 1).astype(numpy.float32).astype(numpy.float64)


def operand(seed: int, spec) -> torch.Tensor | None:
    if spec is None:
        return None
    if "ints" in spec:
        ints = torch.tensor(spec["ints"])
        return ints.reshape(spec["shape"]) if "shape" in spec else ints
    if "floats" in spec:
        return torch.tensor(spec["floats"])
    v = fill(seed, spec["shape"])
    if spec.get("type") == "bool":
        return torch.from_numpy((v > 0).reshape(spec["shape"]))
    low, high = spec.get("low", -1), spec.get("high", 1)
    v = low + (high - low) * (v + 1) / 2
    if "levels" in spec:
        v = numpy.floor(v * spec["levels"] + 0.5) / spec["levels"]
    v = v.astype(numpy.float32).astype(numpy.float64)
    return torch.from_numpy(v).reshape(spec["shape"]).requires_grad_()


def golden(case) -> dict:
    operands = [operand(i + 1, spec) for i, spec in enumerate(case["inputs"])]
    names = dict(zip("abcdefgh", operands))
    result = eval(case["torch"], {"torch": torch, "F": F, **names})
    results = result if isinstance(result, (tuple, list)) else [result]
    loss = sum(
        (y * torch.from_numpy(fill(100 + i, y.shape)).reshape(y.shape)).sum() for i, y in enumerate(results)
    )
    wrt = [x for x in operands if x is not None and x.requires_grad]  # constants do not
    grads = torch.autograd.grad(loss, wrt, allow_unused=True)
    return {
        "shapes": [list(y.shape) for y in results],
        "gradients": [
            [float(f"{g:.9g}") for g in (torch.zeros_like(x) if d is None else d).flatten().tolist()]
            for x, d in zip(wrt, grads)
        ],
    }


def main():
    cases = json.loads((HERE.parent / "cases.json").read_text())
    out = {case["name"]: golden(case) for case in cases}
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in out.items()]
    versions = json.dumps({"torch": torch.__version__, "numpy": numpy.__version__})
    text = '{"versions": ' + versions + ',\n"cases": {\n' + ",\n".join(lines) + "\n}}\n"
    (HERE / "operators.json").write_text(text)


if __name__ == "__main__":
    main()
