"""Makes ../fixtures/*.onnx, narrow torchvision networks, and `models.json`, PyTorch's gradients of
them: `python generate_models.py`.

For the loss L = sum(logits * r) the file holds, for the input and every parameter, the Euclidean norm
of dL/d(it) and its product with a direction; for networks with batch norm in evaluation mode and in
training mode, with the updated running statistics. Computed in float64; batch, r and directions come
from the formula of generate.py.
"""

import json
import pathlib
import warnings

import onnx
import torch
import torchvision
from generate import fill
from torch import nn
from torchvision.models import densenet, mobilenetv2, resnet, squeezenet, vgg

HERE = pathlib.Path(__file__).parent
BATCH, SIZE, CLASSES = 3, 64, 10


def slim(model: nn.Module, by: int) -> nn.Module:
    """Divides the channels of every layer, except those of images and classes."""

    def fewer(n: int) -> int:
        return n if n in (3, CLASSES) else max(1, n // by)

    for name, m in list(model.named_children()):
        if isinstance(m, nn.Conv2d):
            new = nn.Conv2d(fewer(m.in_channels), fewer(m.out_channels), m.kernel_size, m.stride, m.padding,
                            m.dilation, 1 if m.groups == 1 else fewer(m.groups), m.bias is not None)
        elif isinstance(m, nn.BatchNorm2d):
            new = nn.BatchNorm2d(fewer(m.num_features))
        elif isinstance(m, nn.Linear):
            new = nn.Linear(fewer(m.in_features), fewer(m.out_features))
        elif isinstance(m, nn.Dropout):
            new = nn.Identity()
        else:
            new = slim(m, by)
        setattr(model, name, new)
    return model


def vgg11(batch_norm: bool) -> nn.Module:
    make = vgg.vgg11_bn if batch_norm else vgg.vgg11
    model = make(num_classes=CLASSES)
    model.avgpool = nn.AdaptiveAvgPool2d(1)
    model.classifier[0] = nn.Linear(512, 4096)
    return slim(model, 32)


MODELS = {
    "resnet18": lambda: slim(resnet.resnet18(num_classes=CLASSES), 16),
    "mobilenet_v2": lambda: slim(mobilenetv2.mobilenet_v2(num_classes=CLASSES), 16),
    "squeezenet1_1": lambda: slim(squeezenet.squeezenet1_1(num_classes=CLASSES), 16),
    "vgg11": lambda: vgg11(False),
    "vgg11_bn": lambda: vgg11(True),
    "densenet": lambda: slim(
        densenet.DenseNet(16, (2, 3, 2), 32, num_classes=CLASSES), 4
    ),
}


def start(model: nn.Module) -> nn.Module:
    """Weights from the formula, held exactly by float32."""
    for seed, (name, p) in enumerate(model.state_dict().items()):
        if not p.is_floating_point():
            continue
        values = torch.from_numpy(fill(seed, p.shape)).reshape(p.shape)
        if p.dim() > 1:
            values = values * (6 / p[0].numel()) ** 0.5
        elif name.endswith(("weight", "running_var")):
            values = 1 + 0.2 * values
        else:
            values = 0.2 * values
        p.copy_(values.float())
    return model


def summary(value: torch.Tensor, seed: int) -> list[float]:
    direction = torch.from_numpy(fill(seed, value.shape)).reshape(value.shape)
    return [float(f"{v:.9g}") for v in (value.norm().item(), (value * direction).sum().item())]


def golden(model: nn.Module) -> dict:
    x = torch.from_numpy(fill(1, (BATCH, 3, SIZE, SIZE))).reshape(BATCH, 3, SIZE, SIZE).requires_grad_()
    logits = model(x)
    loss = (logits * torch.from_numpy(fill(2, logits.shape)).reshape(logits.shape)).sum()
    named = {"input": x, **dict(model.named_parameters())}
    grads = torch.autograd.grad(loss, list(named.values()))
    return {
        "loss": loss.item(),
        "gradients": {name: summary(g, 10 + i) for i, (name, g) in enumerate(zip(named, grads))},
        "running": {
            name: summary(value, 10 + i)
            for i, (name, value) in enumerate(model.named_buffers())
            if model.training and value.is_floating_point()
        },
    }


def main():
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    (HERE.parent / "fixtures").mkdir(exist_ok=True)
    out = {}
    for name, make in MODELS.items():
        with torch.no_grad():
            model = start(make()).eval()
        path = HERE.parent / "fixtures" / f"{name}.onnx"
        # PRESERVE keeps batch norm as it is; plain export folds it into the convolutions.
        torch.onnx.export(model, (torch.zeros(BATCH, 3, SIZE, SIZE),), path, input_names=["input"],
                          output_names=["logits"], opset_version=18, dynamo=False, do_constant_folding=False,
                          dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
                          training=torch.onnx.TrainingMode.PRESERVE)
        model = model.double()
        out[name] = {"eval": golden(model)}
        # So narrow a MobileNetV2 has channels of almost no variance: in training mode PyTorch's own
        # float32 gradients differ from its float64 ones by 70 %.
        has_batch_norm = any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
        if has_batch_norm and name != "mobilenet_v2":
            out[name]["train"] = golden(model.train())
        print(name, path.stat().st_size, sorted({n.op_type for n in onnx.load(path).graph.node}))
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    (HERE / "models.json").write_text(json.dumps({"versions": versions, "models": out}, indent=1) + "\n")


if __name__ == "__main__":
    main()
