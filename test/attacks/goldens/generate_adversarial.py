"""Makes the golden values of adv and pcb with PyTorch: `python generate_adversarial.py` writes *.json beside itself.

Networks, weights and images are those of the repairs' goldens. Everything is computed in float64.
"""

import copy
import json
import pathlib
import sys
from types import MethodType

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "repairs" / "goldens"))
from generate_repairs import Plain, Tiny, VERSIONS, latent, start, trusted  # noqa: E402

BATCH, STEPS, TARGET = 8, 3, 1


def pgd(model, origin, steps, epsilon, step_size, towards, side=None):
    """Madry et al., from the image itself; with `side` the model sees the image resized."""
    seen = lambda x: F.interpolate(x, (side, side), mode="bilinear", align_corners=False, antialias=True) if side else x
    logits = lambda x: model.fc(latent(model, seen(x)))
    labels = torch.full((len(origin),), towards) if towards is not None else logits(origin).argmax(1)
    x = origin
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(logits(x), labels, reduction="sum"), x)
        moved = x + (-1 if towards is not None else 1) * step_size * slope.sign()
        x = (origin + (moved - origin).clamp(-epsilon, epsilon)).clamp(0, 1)
    return x.detach()


def adversarial():
    images, _ = trusted(3)
    cases = []
    for towards, side in ((2, None), (None, None), (2, 12), (3, 5)):
        result = pgd(start(Plain()), images, 4, 8 / 255, 2 / 255, towards, side)
        cases.append({"towards": towards, "side": side or 8, "change": ((result - images) * 255).flatten().tolist()})
    return cases


def mask(name, shape):
    """A formula that both sides evaluate: every third element of a tensor, from an offset that is its name's length."""
    count = int(torch.tensor(shape).prod())
    return torch.tensor([(i + len(name)) % 3 == 0 for i in range(count)]).reshape(shape)


def borrowed(norm, x):
    """Batch norm with the moments of the second half of the batch."""
    half = x[len(x) // 2 :]
    mean = half.mean((0, 2, 3), keepdim=True)
    variance = half.var((0, 2, 3), unbiased=False, keepdim=True)
    per_channel = lambda v: v[None, :, None, None]
    return (x - mean) / (variance + norm.eps).sqrt() * per_channel(norm.weight) + per_channel(norm.bias)


def alternating():
    """
    Every second step is on images labelled as the target and changes the masked weights alone. The second half of its
    batch only gives batch norm its statistics, which the running ones do not follow.
    """
    images, labels = trusted(STEPS * BATCH)
    model = start(Tiny()).train()
    names = [name for name, _ in model.named_parameters()]
    adams = [torch.optim.Adam(copy.deepcopy(model).parameters()) for _ in range(2)]
    steps = []
    for i in range(STEPS):
        clean = i % 2
        for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.forward = MethodType(torch.nn.BatchNorm2d.forward if clean else borrowed, norm)
        x = images[i * BATCH : (i + 1) * BATCH]
        y = labels[i * BATCH : (i + 1) * BATCH] if clean else torch.full((BATCH // 2,), TARGET)
        loss = F.cross_entropy(model.fc(latent(model, x))[: len(y)], y)
        slopes = torch.autograd.grad(loss, list(model.parameters()))
        # Adam moves a copy that starts where the model is; what may move is taken over.
        (group,) = adams[clean].param_groups
        group["lr"] = 0.01
        for own, p, slope in zip(group["params"], model.parameters(), slopes):
            own.data.copy_(p.data)
            own.grad = slope
        adams[clean].step()
        with torch.no_grad():
            for name, own, p in zip(names, group["params"], model.parameters()):
                p.copy_(own if clean else torch.where(mask(name, p.shape), own, p))
        state = {name: v.flatten().tolist() for name, v in model.state_dict().items() if v.is_floating_point()}
        steps.append({"loss": loss.item(), "weights": state})
    return [{"steps": steps}]


def write(name, cases):
    rounded = json.loads(json.dumps(cases), parse_float=lambda s: float(f"{float(s):.9g}"))
    (HERE / f"{name}.json").write_text(json.dumps({"versions": VERSIONS, "cases": rounded}) + "\n")


if __name__ == "__main__":
    write("adv", adversarial())
    write("pcb", alternating())
