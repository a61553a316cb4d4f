"""Exports untrained image classifiers to ONNX, with PyTorch's gradients of each beside its file:

    python export.py FOLDER [--exporter torchscript|dynamo] [--opset N] [NAME ...]
    python export.py ../fixtures/exports --narrow [NAME ...]

Writes `NAME-EXPORTER.onnx` and `NAME-EXPORTER.json`, or the exporter's error in the latter. For the
cross-entropy loss of a batch the second file holds, for the image and for every weight of the first
that stands for a parameter, the Euclidean norm of dL/d(it) and its product with a direction, computed
in float64, and how far PyTorch's own gradients in float32 are off. Images and directions come from
the formula of ../goldens/generate.py.
"""

import argparse
import contextlib
import copy
import io
import json
import logging
import pathlib
import sys
import warnings

import numpy
import onnx
import torch
from networks import CLASSES, NARROW, NETWORKS, ONE_IMAGE  # first: it makes generate.py known
from onnx import numpy_helper
from torch import nn

from generate import fill  # noqa: I001
from generate_models import summary

BATCH = 2
LABELS = [1, CLASSES - 1]
ZERO = 1e-9  # beside the largest, as in ../exports.test.ts


def enlivened(model: nn.Module, size: int) -> nn.Module:
    """Constant parameters (1 for scales, 0 for biases, 1e-6 for layer scales) get values of their own,
    and running statistics those of a batch, so that nothing can be exchanged or left out unnoticed."""
    with torch.no_grad():
        for p in model.parameters():
            if p.numel() > 1 and p.min() == p.max():
                p.add_(0.1 * torch.randn_like(p))
                if p.abs().max() < 0.5 and p[(0,) * p.dim()].abs() < 1:
                    p.add_(0.2)
        for m in model.modules():
            if isinstance(m, nn.modules.batchnorm._BatchNorm):
                m.momentum = 1.0
        model.train()
        model(torch.randn(4, 3, size, size))
    return model.eval()


def export(model: nn.Module, x: torch.Tensor, path: pathlib.Path, exporter: str, opset: int | None,
           one_image: bool = False) -> None:
    names = {"input_names": ["input"], "output_names": ["logits"], "opset_version": opset}
    if one_image:
        torch.onnx.export(model, (x[:1],), path, dynamo=exporter == "dynamo", external_data=False, **names)
        return
    if exporter == "torchscript":
        axes = {"input": {0: "batch"}, "logits": {0: "batch"}}
        torch.onnx.export(model, (x,), path, dynamo=False, dynamic_axes=axes, **names)
    else:
        shapes = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(model, (x,), path, dynamo=True, dynamic_shapes=shapes, external_data=False,
                          verbose=False, **names)


def gradients_by_parameter(model: nn.Module, x: torch.Tensor) -> tuple[float, dict[str, torch.Tensor]]:
    x = x.clone().requires_grad_()
    loss = nn.functional.cross_entropy(model(x), torch.tensor(LABELS))
    named = {"": x, **dict(model.named_parameters())}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return loss.item(), {name: g for name, g in zip(named, found) if g is not None}


def rounding(exact: dict[str, torch.Tensor], single: dict[str, torch.Tensor]) -> float:
    """How far PyTorch's own gradients in float32 are off: where a ReLU's input is almost 0, rounding decides."""
    largest = max(g.norm().item() for g in exact.values())
    return max(((single[name] - g).norm() / g.norm()).item() for name, g in exact.items()
               if g.norm() > ZERO * largest)


def gradient_of(weight: numpy.ndarray, parameters: dict, gradients: dict) -> torch.Tensor | None:
    """dL/d(a weight in the file), from that of the parameter that it holds, maybe transposed or, a
    convolution with batch norm folded in, scaled per output channel: W' = s·W, dL/dW' = dL/dW / s."""
    for name, p in parameters.items():
        if p.size != weight.size or name not in gradients:
            continue
        g = gradients[name]
        if numpy.array_equal(p.ravel(), weight.ravel()):
            return g.reshape(weight.shape)
        if weight.ndim == 2 and numpy.array_equal(p.reshape(weight.shape[::-1]).T, weight):
            return g.reshape(weight.shape[::-1]).T
        if weight.ndim < 3 or p.shape != weight.shape or p[0].size < 4:  # a few numbers are no evidence
            continue
        scale = weight / numpy.where(p == 0, 1, p)
        scale = scale.reshape(len(p), -1)
        if numpy.abs(scale - scale[:, :1]).max() < 1e-3 * numpy.abs(scale).max():
            s = numpy.median(scale, axis=1).astype(numpy.float64).reshape(-1, *[1] * (p.ndim - 1))
            return g / torch.from_numpy(s)
    return None


def golden(parameters: dict, loss: float, gradients: dict, path: pathlib.Path) -> dict:
    weights = {}
    for tensor in onnx.load(path).graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) == 0:
            continue
        gradient = gradient_of(numpy_helper.to_array(tensor), parameters, gradients)
        if gradient is not None:
            weights[tensor.name] = gradient
    named = {"input": gradients[""], **weights}
    return {
        "loss": loss,
        "gradients": {name: summary(g, 10 + i) for i, (name, g) in enumerate(named.items())},
        "parameters": sum(p.size for p in parameters.values()),
        "compared": sum(g.numel() for g in weights.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--exporter", choices=["torchscript", "dynamo"], action="append")
    parser.add_argument("--opset", type=int)
    parser.add_argument("--narrow", action="store_true")
    args = parser.parse_intermixed_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.names or (NARROW if args.narrow else NETWORKS):
        if args.narrow:
            make, size, exporter, opset = NARROW[name]
            export_all(name, make, size, [exporter], opset, args.folder, name in ONE_IMAGE)
            if (path := args.folder / f"{name}-{exporter}.onnx").exists():
                strip(path)
        else:
            exporters = args.exporter or ["torchscript", "dynamo"]
            export_all(name, *NETWORKS[name], exporters, args.opset, args.folder)


def export_all(name: str, make, size: int, exporters: list[str], opset: int | None, folder: pathlib.Path,
               one_image: bool = False) -> None:
    torch.manual_seed(0)
    model = enlivened(make(), size)
    x = torch.from_numpy(fill(1, (BATCH, 3, size, size))).reshape(BATCH, 3, size, size).float()
    parameters = {key: p.detach().numpy().copy() for key, p in model.named_parameters()}
    _, single = gradients_by_parameter(model, x)
    loss, gradients = gradients_by_parameter(copy.deepcopy(model).double(), x.double())
    off = rounding(gradients, single)
    for exporter in exporters:
        path = folder / f"{name}-{exporter}.onnx"
        about = {"name": name, "exporter": exporter, "torch": torch.__version__, "size": size, "labels": LABELS,
                 "rounding": float(f"{off:.3g}")}
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                export(model, x, path, exporter, opset, one_image)
            about |= golden(parameters, loss, gradients, path)
        except Exception as error:  # an exporter may fail in any way; the reader of the file says so
            about["error"] = f"{type(error).__name__}: {error}"[:2000]
            path.unlink(missing_ok=True)
        path.with_suffix(".json").write_text(json.dumps(about) + "\n")
        print(path.stem, about.get("error", "exported")[:200], flush=True)


def strip(path: pathlib.Path) -> None:
    """Leaves out what says where in Python nodes come from, and shapes that anybody can infer: most of a
    small file."""
    model = onnx.load(path)
    graph = model.graph
    for part in [graph, *graph.node, *graph.input, *graph.output, *graph.initializer]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")
    onnx.save(model, path)


if __name__ == "__main__":
    main()
