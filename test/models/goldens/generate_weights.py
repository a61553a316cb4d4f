"""Makes resnet18-imagenet.json with torchvision: `python generate_weights.py` writes it beside itself.

Weights and images come from a formula that both sides evaluate (`fill` of test/train/goldens/make.py), so the
file holds logits only. Everything is computed in float64: what differs from our float32 is our rounding.
"""

import json
import pathlib
import sys

import torch
import torchvision

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "train" / "goldens"))
from make import fill  # noqa: E402

CLASSES, SIDE = 7, 64


def parameter(seed: int, name: str, shape) -> torch.Tensor:
    """U(±√(3/fan-in)) for matrices, near their usual values for the rest; variances are positive."""
    if len(shape) > 1:
        return fill(seed, shape, (3 / (torch.Size(shape).numel() / shape[0])) ** 0.5)
    small = fill(seed, shape, 0.2)
    return (1 + small).float().double() if name.endswith(("weight", "running_var")) else small


model = torchvision.models.resnet18(num_classes=CLASSES).double().eval()
state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
filled = {name: parameter(seed, name, value.shape) for seed, (name, value) in enumerate(state.items())}
model.load_state_dict(filled, strict=False)
images = (fill(1000, (2, 3, SIDE, SIDE)) + 1) / 2
with torch.no_grad():
    logits = model(images)
names = {name: list(value.shape) for name, value in state.items()}
(HERE / "resnet18-imagenet.json").write_text(
    json.dumps(
        {
            "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__},
            "shapes": names,
            "logits": logits.tolist(),
        }
    )
    + "\n"
)
