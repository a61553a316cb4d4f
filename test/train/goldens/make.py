"""Makes the golden values of test/train with PyTorch: `python make.py` writes *.json beside itself.

Weights and images come from a formula that both sides evaluate (`fill`), so the files hold results
only. Everything is computed in float64: what differs from our float32 is our rounding, not theirs.
"""

import json
import math
import pathlib

import numpy
import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
VERSIONS = {"torch": torch.__version__, "numpy": numpy.__version__}


def fill(seed: int, shape, bound: float = 1.0) -> torch.Tensor:
    """Entry i is bound·(2u − 1) with u = ((i + 1)·2654435761 + seed·40503·65537 mod 2^32) / 2^32, hashed once."""
    i = numpy.arange(1, math.prod(shape) + 1, dtype=numpy.uint64)
    x = (i * numpy.uint64(2654435761) + numpy.uint64(seed * 40503 * 65537)) & numpy.uint64(0xFFFFFFFF)
    x ^= x >> numpy.uint64(15)
    x = (x * numpy.uint64(2246822519)) & numpy.uint64(0xFFFFFFFF)
    x ^= x >> numpy.uint64(13)
    u = x.astype(numpy.float64) / 2**32
    values = (bound * (2 * u - 1)).astype(numpy.float32)
    return torch.from_numpy(values.astype(numpy.float64)).reshape(list(shape))


def start(model: nn.Module) -> nn.Module:
    """Weights from the formula: U(±√(3/fan-in)) for matrices, near their usual values for the rest."""
    model = model.double()
    with torch.no_grad():
        for seed, (name, p) in enumerate(model.named_parameters()):
            if p.dim() > 1:
                p.copy_(fill(seed, p.shape, math.sqrt(3 / p[0].numel())))
            elif name.endswith("weight"):
                p.copy_((1 + fill(seed, p.shape, 0.2)).float())
            else:
                p.copy_(fill(seed, p.shape, 0.2))
    return model


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc(x.mean((2, 3)))


class Block(nn.Module):
    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if stride != 1 or inputs != planes:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """ResNet-18 with the CIFAR stem; names as in torchvision."""

    def __init__(self, width, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for stage in range(4):
            planes = width * 2**stage
            blocks = [Block(inputs, planes, 2 if stage else 1), Block(planes, planes, 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
            inputs = planes
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def batch(seed, n, side, classes):
    images = (fill(1000 + seed, (n, 3, side, side)) + 1) / 2
    return images, torch.tensor([(i * 7 + seed) % classes for i in range(n)])


def steps(make_optimiser, rates):
    """State after each of three steps with label smoothing on three batches."""
    model = start(Tiny()).train()
    optimiser = make_optimiser(model.parameters())
    record = []
    for seed, rate in enumerate(rates):
        images, labels = batch(seed, 8, 8, 5)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        loss = F.cross_entropy(model(images), labels, label_smoothing=0.05)
        loss.backward()
        optimiser.step()
        state = {k: v.flatten().tolist() for k, v in model.state_dict().items() if v.is_floating_point()}
        record.append({"loss": loss.item(), "rate": rate, "state": state})
    return record


def resnet_gradient(width=8):
    """Gradient of the first step: the norm of every tensor, and 16 entries at equal distances."""
    model = start(ResNet18(width)).train()
    images, labels = batch(0, 8, 32, 10)
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    gradient = {}
    for name, p in model.named_parameters():
        flat = p.grad.flatten()
        entries = flat[:: max(1, flat.numel() // 16)][:16]
        gradient[name] = {"norm": flat.norm().item(), "entries": entries.tolist()}
    return {"width": width, "loss": loss.item(), "gradient": gradient}


def schedules():
    def rates(make, total):
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
        schedule = make(optimiser, total)
        values = []
        for _ in range(total):
            values.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        return values

    one_cycle = lambda o, total: torch.optim.lr_scheduler.OneCycleLR(
        o, 0.2, total_steps=total, pct_start=0.25, anneal_strategy="linear", cycle_momentum=False
    )
    cosine = lambda o, total: torch.optim.lr_scheduler.CosineAnnealingLR(o, total)
    return {
        "peak": 0.2,
        "one-cycle": {str(total): rates(one_cycle, total) for total in (7, 40)},
        "cosine": {str(total): rates(cosine, total) for total in (7, 40)},
    }


def write(name, content):
    rounded = json.loads(json.dumps(content), parse_float=lambda s: float(f"{float(s):.9g}"))
    (HERE / f"{name}.json").write_text(json.dumps({"versions": VERSIONS, **rounded}) + "\n")


if __name__ == "__main__":
    optim = torch.optim
    write(
        "steps",
        {
            "sgd": steps(lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=5e-3), [0.1, 0.2, 0.05]),
            "adam": steps(lambda p: optim.Adam(p, 0.01, betas=(0.8, 0.95), weight_decay=1e-2), [0.01, 0.02, 0.005]),
            "adamw": steps(lambda p: optim.AdamW(p, 0.01, weight_decay=1e-1), [0.01, 0.02, 0.005]),
        },
    )
    write("resnet18", resnet_gradient())
    write("schedules", schedules())
