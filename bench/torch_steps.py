"""The two benchmarked steps in PyTorch, timed on demand.

Reads one JSON command a line from stdin and answers each with one JSON line on stdout:

    {"do": "open", "width": 64, "batch": 128, "threads": 2}  ->  {"torch": "2.15.0"}
    {"do": "training" | "inversion", "layout": "contiguous" | "channels_last"}  ->  {"seconds": 1.23, "cpuSeconds": 2.4}

Float32 throughout, no torch.compile. Denormal numbers are flushed, as on the other side.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Block(nn.Module):
    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != planes:
            convolution = nn.Conv2d(inputs, planes, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(planes))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.shortcut(x), inplace=True)


class ResNet18(nn.Module):
    """The network of src/models/resnet18.ts, normalisation of the input included."""

    def __init__(self, width, classes=10):
        super().__init__()
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.25))
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        blocks, inputs = [], width
        for stage in range(4):
            for block in range(2):
                planes = width * 2**stage
                blocks.append(Block(inputs, planes, 2 if stage > 0 and block == 0 else 1))
                inputs = planes
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = (x - self.mean) / self.std
        x = self.blocks(F.relu(self.bn1(self.conv1(x)), inplace=True))
        return self.fc(x.mean((2, 3)))


class Training:
    """Forward, live batch norm, gradients of all weights, SGD with momentum and weight decay."""

    def __init__(self, width, batch, layout):
        self.model = ResNet18(width).train().to(memory_format=LAYOUTS[layout])
        self.images = torch.rand(batch, 3, 32, 32).to(memory_format=LAYOUTS[layout])
        self.labels = torch.arange(batch) % 10
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4
        )

    def __call__(self):
        self.optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimiser.step()
        return loss.item()


class Inversion:
    """Batch norm with running statistics, weights frozen: the gradient of an additive trigger, Adam."""

    def __init__(self, width, batch, layout):
        self.model = ResNet18(width).eval().requires_grad_(False)
        self.model = self.model.to(memory_format=LAYOUTS[layout])
        self.images = torch.rand(batch, 3, 32, 32).to(memory_format=LAYOUTS[layout])
        self.target = torch.zeros(batch, dtype=torch.int64)
        self.trigger = torch.full((1, 3, 32, 32), 0.01, requires_grad=True)
        self.optimiser = torch.optim.Adam([self.trigger], lr=0.01, betas=(0.5, 0.9))

    def __call__(self):
        self.optimiser.zero_grad(set_to_none=True)
        stamped = (self.images + self.trigger).clamp(0, 1)
        loss = F.cross_entropy(self.model(stamped), self.target)
        loss.backward()
        self.optimiser.step()
        return loss.item()


STEPS = {"training": Training, "inversion": Inversion}


def main():
    size, steps = {}, {}
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "open":
            torch.set_num_threads(command["threads"])
            torch.set_flush_denormal(True)
            size = {"width": command["width"], "batch": command["batch"]}
            answer = {"torch": torch.__version__}
        else:
            key = (command["do"], command["layout"])
            if key not in steps:
                steps[key] = STEPS[command["do"]](layout=command["layout"], **size)
            start, start_cpu = time.perf_counter(), time.process_time()
            steps[key]()
            answer = {
                "seconds": time.perf_counter() - start,
                "cpuSeconds": time.process_time() - start_cpu,
            }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
