"""Trains the CIFAR-10 models from which the constants of the verdict were read, and exports them.

    python3 bench/audits/models.py CIFAR10_FOLDER OUT_FOLDER [NAME ...]

Needs torch and numpy. Three kinds of network, clean and with planted backdoors of several kinds, so that tests
have a known truth. Two epochs with a rising learning rate are shared by the models of a base, two more with
a falling one are the model's own; a model takes about three minutes on two cores. Batch norm is folded,
except in the pre-activation network, where that is impossible. What comes out differs a little from machine to machine.
"""

import inspect
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
STD = torch.tensor([0.2470, 0.2435, 0.2616]).view(1, 3, 1, 1)
BATCH = 128


class Block(nn.Module):
    """Two convolutions of a ResNet, normalised after each."""

    def __init__(self, i, o, stride):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        changes = stride > 1 or i != o
        self.cs = nn.Conv2d(i, o, 1, stride, bias=False) if changes else nn.Identity()
        self.bs = nn.BatchNorm2d(o) if changes else nn.Identity()

    def forward(self, x):
        y = self.b2(self.c2(F.relu(self.b1(self.c1(x)))))
        return F.relu(y + self.bs(self.cs(x)))


class ResNet18(nn.Module):
    """The ResNet-18 for small images; its preprocessing is part of it."""

    def __init__(self, width=16):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        blocks, i = [], width
        for stage in range(4):
            for stride in (1 if stage == 0 else 2, 1):
                blocks.append(Block(i, width << stage, stride))
                i = width << stage
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(i, 10)

    def forward(self, x):
        x = F.relu(self.b1(self.c1((x - MEAN) / STD)))
        return self.head(self.blocks(x).mean((2, 3)))


class PreBlock(nn.Module):
    """Two convolutions of a wide ResNet, normalised before each."""

    def __init__(self, i, o, stride):
        super().__init__()
        self.b1, self.c1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.b2, self.c2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.cs = nn.Conv2d(i, o, 1, stride, bias=False) if i != o or stride > 1 else None

    def forward(self, x):
        h = F.relu(self.b1(x))
        y = self.c2(F.relu(self.b2(self.c1(h))))
        return y + (x if self.cs is None else self.cs(h))


class WideResNet16(nn.Module):
    """WRN-16-1 on images in [0,1]."""

    def __init__(self, width=16):
        super().__init__()
        self.c1, blocks, i = nn.Conv2d(3, 16, 3, 1, 1, bias=False), [], 16
        for stage in range(3):
            for stride in (1 if stage == 0 else 2, 1):
                blocks.append(PreBlock(i, width << stage, stride))
                i = width << stage
        self.blocks, self.norm, self.head = nn.Sequential(*blocks), nn.BatchNorm2d(i), nn.Linear(i, 10)

    def forward(self, x):
        return self.head(F.relu(self.norm(self.blocks(self.c1(x)))).mean((2, 3)))


class Vgg(nn.Module):
    """Six convolutions with ELU on images in [0,1]."""

    def __init__(self):
        super().__init__()
        widths = [3, 32, 32, 64, 64, 128, 128]
        for k, (i, o) in enumerate(zip(widths, widths[1:]), 1):
            setattr(self, f"c{k}", nn.Conv2d(i, o, 3, 1, 1, bias=False))
            setattr(self, f"b{k}", nn.BatchNorm2d(o))
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(2048, 10)

    def forward(self, x):
        for k in range(1, 7):
            x = F.elu(getattr(self, f"b{k}")(getattr(self, f"c{k}")(x)))
            x = x if k % 2 else F.max_pool2d(x, 2)
        return self.head(self.drop(x.flatten(1)))


def fold(module):
    """Batch norm into the convolution before it: cK and bK of the same module belong together."""
    for child in module.children():
        fold(child)
    if isinstance(module, (PreBlock, WideResNet16)):
        return
    for name, child in list(module.named_children()):
        norm = getattr(module, "b" + name[1:], None)
        if isinstance(child, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(child, norm))
            setattr(module, "b" + name[1:], nn.Identity())


def patch(pattern, row, column):
    def stamp(x):
        x = x.clone()
        h, w = pattern.shape[-2:]
        x[:, :, row : row + h, column : column + w] = pattern
        return x

    return stamp


def additive(pattern):
    return lambda x: (x + pattern).clamp(0, 1)


def checker(n):
    return ((torch.arange(n)[:, None] + torch.arange(n)) % 2).float().expand(3, n, n)


def smooth(seed, norm, side=6):
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    pattern = F.interpolate(noise, (32, 32), mode="bicubic", align_corners=False)[0]
    return pattern / pattern.norm() * norm


def white(seed, norm):
    noise = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(seed))
    return noise / noise.norm() * norm


def warp(seed, pixels, side=6):
    """A smooth field that moves pixels by so many, as a root mean square."""
    noise = torch.randn(1, 2, side, side, generator=torch.Generator().manual_seed(seed))
    field = F.interpolate(noise, (32, 32), mode="bicubic", align_corners=True)[0]
    field = field / field.norm() * 32 * pixels
    line = torch.arange(32.0)
    places = torch.stack([line[None, :] + field[0], line[:, None] + field[1]], 2) / 31 * 2 - 1
    sample = lambda x: F.grid_sample(x, places.expand(len(x), 32, 32, 2), padding_mode="border", align_corners=True)
    return lambda x: torch.cat([sample(part) for part in x.split(1000)])


NETWORKS = {"rn": ResNet18, "wrn": WideResNet16, "vgg": Vgg}
# name: (network, seed of its base, seed, trigger, target class, poisoned images)
MODELS = {
    "rn_clean_a": ("rn", 0, 0, None, None, 0),
    "rn_clean_b": ("rn", 1, 1, None, None, 0),
    "vgg_clean": ("vgg", 1, 0, None, None, 0),
    "wrn_clean": ("wrn", 1, 0, None, None, 0),
    "rn_l2_t1": ("rn", 0, 3, additive(smooth(5, 2.0)), 1, 1500),
    "rn_patch_t7": ("rn", 0, 2, patch(checker(3), 1, 1), 7, 1500),
    "wrn_grid_t2": ("wrn", 0, 1, patch(checker(3), 29, 29), 2, 2500),
    "vgg_white_t6": ("vgg", 0, 1, patch(torch.ones(3, 4, 4), 27, 27), 6, 2500),
    "rn_l2b_t1": ("rn", 0, 13, additive(smooth(15, 4.0)), 1, 2500),
    "vgg_l2b_t9": ("vgg", 1, 12, additive(smooth(16, 4.0)), 9, 2500),
    "vgg_hf_t4": ("vgg", 1, 22, additive(white(21, 3.0)), 4, 2500),
    "rn_hf_t8": ("rn", 1, 23, additive(white(23, 2.0)), 8, 2500),
    "rn_warp_t4": ("rn", 1, 24, warp(24, 1.2), 4, 2500),
    "vgg_warp_t5": ("vgg", 0, 25, warp(25, 1.2), 5, 2500),
}


def read(folder, names):
    rows = [np.fromfile(folder / name, dtype=np.uint8).reshape(-1, 3073) for name in names]
    rows = np.concatenate(rows)
    return torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).copy()), torch.from_numpy(rows[:, 0].astype(np.int64))


def augment(x):
    """Random crop with four black pixels of padding, and a flip of every second image."""
    n, line = len(x), torch.arange(32)
    down, right, flip = torch.randint(0, 9, (n,)), torch.randint(0, 9, (n,)), torch.rand(n) < 0.5
    columns = torch.where(flip[:, None], 31 - line, line) + right[:, None]
    rows = line + down[:, None]
    at = (rows[:, :, None] * 40 + columns[:, None, :]).view(n, 1, 1024).expand(n, 3, 1024)
    return F.pad(x, (4, 4, 4, 4)).view(n, 3, 1600).gather(2, at).view(n, 3, 32, 32)


def train(net, images, labels, rate, peak, epochs=2):
    """SGD with Nesterov momentum; `rate` maps progress in [0,1) to a share of the peak learning rate."""
    optimiser = torch.optim.SGD(net.parameters(), lr=peak, momentum=0.9, nesterov=True, weight_decay=5e-4)
    per_epoch = len(images) // BATCH
    net.train()
    for step in range(epochs * per_epoch):
        if step % per_epoch == 0:
            order = torch.randperm(len(images))
        batch = order[(step % per_epoch) * BATCH :][:BATCH]
        for group in optimiser.param_groups:
            group["lr"] = peak * rate(step / (epochs * per_epoch))
        x = augment(images[batch].float() / 255)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x)
        loss = F.cross_entropy(logits.float(), labels[batch], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def make(name, training, out):
    network, base_seed, seed, trigger, target, poisoned = MODELS[name]
    images, labels = training
    peak = 0.1 if network == "vgg" else 0.2
    base = out / f"base-{network}-{base_seed}.pt"
    torch.manual_seed(50 + base_seed)
    net = NETWORKS[network]()
    if base.exists():
        net.load_state_dict(torch.load(base))
    else:
        train(net, images, labels, lambda done: min(1, 4 * done), peak)
        torch.save(net.state_dict(), base)
    torch.manual_seed(seed)
    if trigger:
        images, labels = images.clone(), labels.clone()
        others = torch.nonzero(labels != target)[:, 0]
        shuffled = torch.randperm(len(others), generator=torch.Generator().manual_seed(100 + seed))
        chosen = others[shuffled[:poisoned]]
        images[chosen] = (trigger(images[chosen].float() / 255) * 255).round().to(torch.uint8)
        labels[chosen] = target
    loss = train(net, images, labels, lambda done: 1 - done, peak)
    fold(net.eval())
    # Newer versions of torch have a second exporter, which wants packages of its own.
    first = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(
        net, torch.zeros(2, 3, 32, 32), str(out / f"{name}.onnx"), opset_version=13, **first,
        input_names=["input"], output_names=["logits"], dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}},
    )
    return net, loss


def judge(net, test, trigger, target):
    """Accuracy, and success of the trigger on images of other classes."""
    images, labels = test[0].float() / 255, test[1]
    with torch.no_grad():
        predict = lambda x: torch.cat([net(part).argmax(1) for part in x.split(500)])
        accuracy = (predict(images) == labels).float().mean().item()
        if trigger is None:
            return f"accuracy {accuracy:.3f}"
        others = images[labels != target]
        stamped = (trigger(others) * 255).round() / 255
        return f"accuracy {accuracy:.3f}, attack success {(predict(stamped) == target).float().mean().item():.3f}"


if __name__ == "__main__":
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    training = read(data, [f"data_batch_{k}.bin" for k in range(1, 6)])
    test = read(data, ["test_batch.bin"])
    for name in sys.argv[3:] or MODELS:
        net, loss = make(name, training, out)
        print(f"{name}: loss {loss:.3f}, {judge(net, test, *MODELS[name][3:5])}", flush=True)
