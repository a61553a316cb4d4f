"""Makes the golden values of test/inversion with PyTorch: `python generate.py` writes inversion.json beside itself.

Some steps of Adam for the triggers of two classes side by side, additive and under a mask, with the
loss of each step. Weights, images and start values come from formulas that both sides evaluate; everything
is computed in float64.
"""

import json
import pathlib
import sys

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "train" / "goldens"))
sys.path.insert(0, str(HERE.parents[1] / "repairs" / "goldens"))
from generate_repairs import BATCH, CLASSES, SIDE, Plain, latent, trusted  # noqa: E402
from make import VERSIONS, Tiny, fill, start  # noqa: E402

IMAGES, TARGETS, MEMORY = 4, (1, 3), 0.8


def additive(T):
    start = {"trigger": (fill(11, (len(TARGETS), 3, SIDE, SIDE)) + 1) * 0.1}
    return start, lambda p, x: (x + p["trigger"][:, None]).clamp(0, 1), lambda p: p["trigger"].square().sum((1, 2, 3)).sqrt()


def masked(T):
    start = {
        "mask": fill(12, (len(TARGETS), 1, SIDE, SIDE)) - 1,
        "pattern": fill(13, (len(TARGETS), 3, SIDE, SIDE)),
    }

    def apply(p, x):
        mask, pattern = p["mask"].sigmoid()[:, None], p["pattern"].sigmoid()[:, None]
        return (1 - mask) * x + mask * pattern

    return start, apply, lambda p: p["mask"].sigmoid().sum((1, 2, 3))


def inversion(family, weight_s, weight_r, rate, shrink=None, count=3):
    """Images are drawn in order among those that are not of the class, one after the other for both classes."""
    suspect, repaired = start(Tiny()).eval(), start(Plain()).eval()
    images, labels = trusted(3 * BATCH)
    # With logits that are 0 on average the classes compete, and success changes from step to step.
    with torch.no_grad():
        average_logits = (latent(suspect, images) @ suspect.fc.weight.T).mean(0)
        suspect.fc.bias.copy_((-average_logits * 1e4).round() / 1e4)
    others = [[i for i in range(len(labels)) if labels[i] != c] for c in TARGETS]
    initial, apply, size = family(TARGETS)
    p = {name: value.clone().requires_grad_() for name, value in initial.items()}
    optimiser = torch.optim.Adam(p.values(), lr=rate, betas=(0.5, 0.9))
    penalty = [shrink["weight"] if shrink else 0.0] * len(TARGETS)
    average, drawn, steps = [0.0] * len(TARGETS), 0, []
    has_worked = [False] * len(TARGETS)
    for step in range(count):
        chosen = []
        for row in others:
            for _ in range(IMAGES):
                chosen.append(row[drawn % len(row)])
                drawn += 1
        x = images[chosen].reshape(len(TARGETS), IMAGES, 3, SIDE, SIDE)
        y = labels[chosen]
        target = torch.tensor([c for c in TARGETS for _ in range(IMAGES)])
        stamped = apply(p, x).reshape(-1, 3, SIDE, SIDE)
        logits = suspect.fc(latent(suspect, stamped))
        loss = torch.zeros((), dtype=torch.float64)
        sizes = size(p)
        for m in range(len(TARGETS)):
            own = slice(m * IMAGES, (m + 1) * IMAGES)
            loss = loss + weight_s * F.cross_entropy(logits[own], target[own]) + penalty[m] * sizes[m]
            if weight_r > 0:
                kept = repaired.fc(latent(repaired, stamped[own]))
                loss = loss + weight_r * F.cross_entropy(kept, y[own])
        optimiser.zero_grad()
        loss.backward()
        smallest = min(g.abs()[g != 0].min().item() for g in (q.grad for q in p.values()))
        optimiser.step()
        for m in range(len(TARGETS) if shrink else 0):
            own = slice(m * IMAGES, (m + 1) * IMAGES)
            success = (logits[own].argmax(1) == target[own]).double().mean().item()
            average[m] = success if step == 0 else MEMORY * average[m] + (1 - MEMORY) * success
            works = average[m] >= shrink["success"]
            if not works:
                penalty[m] /= shrink["factor"]
            elif has_worked[m]:
                penalty[m] *= shrink["factor"]
            else:
                penalty[m], has_worked[m] = shrink["weight"], True
        values = {name: value.detach().flatten().tolist() for name, value in p.items()}
        print(family.__name__, step, loss.item(), average, "smallest slope", smallest)
        steps.append({"loss": loss.item(), "parameters": values})
    return {
        "family": family.__name__,
        "suspectWeight": weight_s,
        "repairedWeight": weight_r,
        "learningRate": rate,
        "shrink": shrink,
        "bias": suspect.fc.bias.tolist(),
        "steps": steps,
    }


if __name__ == "__main__":
    cases = [
        inversion(additive, 1, 1, 0.01),
        inversion(additive, 1, 0.5, 0.02),
        inversion(masked, 1, 0, 0.3, {"weight": 0.02, "factor": 1.15, "success": 0.4}, 8),
        inversion(masked, 1, 1, 0.1),
    ]
    rounded = json.loads(json.dumps(cases), parse_float=lambda s: float(f"{float(s):.7g}"))
    (HERE / "inversion.json").write_text(json.dumps({"versions": VERSIONS, "cases": rounded}) + "\n")
