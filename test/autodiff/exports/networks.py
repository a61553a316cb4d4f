"""The image classifiers that `export.py` exports: untrained, one small member of every family; and
narrow ones, whose files are small enough to be kept."""

import importlib.util
import pathlib
import sys
from collections.abc import Callable

from torch import nn
from torchvision import models as tv
from torchvision.models import efficientnet, mobilenetv3, regnet, resnet, swin_transformer

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "goldens"))
from generate_models import CLASSES, slim  # noqa: E402

Network = tuple[Callable[[], nn.Module], int]  # constructor, and height = width of the images


def narrow_head(model: nn.Module) -> nn.Module:
    """VGG and AlexNet with 64 channels in the hidden layers of their classifier, not 4096."""
    layers = [i for i, m in enumerate(model.classifier) if isinstance(m, nn.Linear)]
    sizes = [model.classifier[layers[0]].in_features, 64, 64, CLASSES]
    for k, i in enumerate(layers):
        model.classifier[i] = nn.Linear(sizes[k], sizes[k + 1])
    return model


TORCHVISION: dict[str, Network] = {
    "alexnet": (lambda: narrow_head(tv.alexnet(num_classes=CLASSES)), 224),
    "convnext_tiny": (lambda: tv.convnext_tiny(num_classes=CLASSES), 64),
    "densenet121": (lambda: tv.densenet121(num_classes=CLASSES), 64),
    "efficientnet_b0": (lambda: tv.efficientnet_b0(num_classes=CLASSES), 64),
    "efficientnet_v2_s": (lambda: tv.efficientnet_v2_s(num_classes=CLASSES), 64),
    "googlenet": (lambda: tv.googlenet(num_classes=CLASSES, init_weights=False), 64),
    "inception_v3": (lambda: tv.inception_v3(num_classes=CLASSES, aux_logits=False, init_weights=False), 107),
    "maxvit": (lambda: tv.MaxVit((64, 64), 32, 2, [32, 32], [1, 1], 16, 0.0, num_classes=CLASSES), 64),
    "mnasnet0_5": (lambda: tv.mnasnet0_5(num_classes=CLASSES), 64),
    "mobilenet_v2": (lambda: tv.mobilenet_v2(num_classes=CLASSES), 64),
    "mobilenet_v3_small": (lambda: tv.mobilenet_v3_small(num_classes=CLASSES), 64),
    "regnet_x_400mf": (lambda: tv.regnet_x_400mf(num_classes=CLASSES), 64),
    "regnet_y_400mf": (lambda: tv.regnet_y_400mf(num_classes=CLASSES), 64),
    "resnet18": (lambda: tv.resnet18(num_classes=CLASSES), 64),
    "resnext50_32x4d": (lambda: tv.resnext50_32x4d(num_classes=CLASSES), 64),
    "shufflenet_v2_x0_5": (lambda: tv.shufflenet_v2_x0_5(num_classes=CLASSES), 64),
    "squeezenet1_1": (lambda: tv.squeezenet1_1(num_classes=CLASSES), 64),
    "swin_t": (lambda: tv.swin_t(num_classes=CLASSES), 64),
    "swin_v2_t": (lambda: tv.swin_v2_t(num_classes=CLASSES), 64),
    "vgg11": (lambda: narrow_head(tv.vgg11(num_classes=CLASSES)), 224),
    "vgg11_bn": (lambda: narrow_head(tv.vgg11_bn(num_classes=CLASSES)), 224),
    "vit": (lambda: tv.VisionTransformer(64, 16, 3, 3, 96, 192, num_classes=CLASSES), 64),
}


def timm_model(name: str, **options) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import timm

        return timm.create_model(name, num_classes=CLASSES, **options)

    return make


TIMM: dict[str, Network] = {
    "beit_base_patch16_224": (timm_model("beit_base_patch16_224", img_size=64, embed_dim=96, num_heads=3, depth=2), 64),
    "botnet26t_256": (timm_model("botnet26t_256", img_size=64), 64),
    "cait_xxs24_224": (timm_model("cait_xxs24_224", img_size=64, depth=4), 64),
    "coat_lite_tiny": (timm_model("coat_lite_tiny", img_size=64), 64),
    "convmixer_768_32": (timm_model("convmixer_768_32", dim=64, depth=3), 64),
    "convnext_atto": (timm_model("convnext_atto"), 64),
    "convnextv2_atto": (timm_model("convnextv2_atto"), 64),
    "crossvit_tiny_240": (timm_model("crossvit_tiny_240", img_size=120), 120),
    "davit_tiny": (timm_model("davit_tiny"), 64),
    "deit_tiny_patch16_224": (timm_model("deit_tiny_patch16_224", img_size=64), 64),
    "deit_tiny_distilled_patch16_224": (timm_model("deit_tiny_distilled_patch16_224", img_size=64), 64),
    "dla34": (timm_model("dla34"), 64),
    "dpn48b": (timm_model("dpn48b"), 64),
    "eca_resnet33ts": (timm_model("eca_resnet33ts"), 64),
    "edgenext_xx_small": (timm_model("edgenext_xx_small"), 64),
    "efficientformer_l1": (timm_model("efficientformer_l1"), 224),
    "efficientformerv2_s0": (timm_model("efficientformerv2_s0"), 224),
    "efficientvit_b0": (timm_model("efficientvit_b0"), 64),
    "efficientvit_m0": (timm_model("efficientvit_m0", img_size=128), 128),
    "ese_vovnet19b_dw": (timm_model("ese_vovnet19b_dw"), 64),
    "eva02_tiny_patch14_224": (timm_model("eva02_tiny_patch14_224", img_size=56, depth=4), 56),
    "fastvit_t8": (timm_model("fastvit_t8"), 64),
    "focalnet_tiny_srf": (timm_model("focalnet_tiny_srf"), 64),
    "gcresnet33ts": (timm_model("gcresnet33ts"), 64),
    "ghostnet_100": (timm_model("ghostnet_100"), 64),
    "gmlp_s16_224": (timm_model("gmlp_s16_224", img_size=64, num_blocks=4), 64),
    "halonet26t": (timm_model("halonet26t"), 128),
    "hiera_tiny_224": (timm_model("hiera_tiny_224"), 224),
    "hrnet_w18_small": (timm_model("hrnet_w18_small"), 64),
    "inception_next_atto": (timm_model("inception_next_atto"), 64),
    "lambda_resnet26t": (timm_model("lambda_resnet26t", img_size=64), 64),
    "levit_128s": (timm_model("levit_128s", img_size=64), 64),
    "mambaout_femto": (timm_model("mambaout_femto"), 64),
    "maxxvit_rmlp_nano_rw_256": (timm_model("maxxvit_rmlp_nano_rw_256", img_size=64), 64),
    "mixer_s16_224": (timm_model("mixer_s16_224", img_size=64), 64),
    "mobilenetv4_conv_small": (timm_model("mobilenetv4_conv_small"), 64),
    "mobilenetv4_hybrid_medium": (timm_model("mobilenetv4_hybrid_medium"), 64),
    "mobilevit_xxs": (timm_model("mobilevit_xxs"), 64),
    "mobilevitv2_050": (timm_model("mobilevitv2_050"), 64),
    "nest_tiny": (timm_model("nest_tiny", img_size=64), 64),
    "nf_regnet_b0": (timm_model("nf_regnet_b0"), 64),
    "pit_ti_224": (timm_model("pit_ti_224", img_size=64), 64),
    "poolformer_s12": (timm_model("poolformer_s12"), 64),
    "pvt_v2_b0": (timm_model("pvt_v2_b0"), 64),
    "regnetz_b16": (timm_model("regnetz_b16"), 64),
    "repvgg_a0": (timm_model("repvgg_a0"), 64),
    "repvit_m0_9": (timm_model("repvit_m0_9"), 64),
    "res2net50d": (timm_model("res2net50d"), 64),
    "resmlp_12_224": (timm_model("resmlp_12_224", img_size=64), 64),
    "resnest14d": (timm_model("resnest14d"), 64),
    "resnet18d": (timm_model("resnet18d"), 64),
    "resnetblur50": (timm_model("resnetblur50"), 64),
    "resnetv2_50x1_bit": (timm_model("resnetv2_50x1_bit"), 64),
    "rexnet_100": (timm_model("rexnet_100"), 64),
    "sequencer2d_s": (timm_model("sequencer2d_s", layers=(1, 1, 1, 1)), 64),
    "skresnet18": (timm_model("skresnet18"), 64),
    "starnet_s1": (timm_model("starnet_s1"), 64),
    "swinv2_cr_tiny_224": (timm_model("swinv2_cr_tiny_224", img_size=64), 64),
    "tf_efficientnet_b0": (timm_model("tf_efficientnet_b0"), 64),
    "tiny_vit_5m_224": (timm_model("tiny_vit_5m_224"), 128),
    "tresnet_m": (timm_model("tresnet_m"), 64),
    "twins_pcpvt_small": (timm_model("twins_pcpvt_small", img_size=64), 64),
    "visformer_tiny": (timm_model("visformer_tiny", img_size=64), 64),
    "vit_tiny_patch16_siglip_map": (timm_model("vit_base_patch16_siglip_224", img_size=64, embed_dim=96, num_heads=3, depth=2), 64),
    "volo_d1_224": (timm_model("volo_d1_224", img_size=64), 64),
    "xcit_nano_12_p16_224": (timm_model("xcit_nano_12_p16_224"), 64),
}



def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


NETWORKS = {**TORCHVISION, **(TIMM if installed("timm") else {})}


def swin(window, depths, heads, block, merging) -> nn.Module:
    return tv.SwinTransformer([4, 4], 8, depths, heads, [window, window], 2.0, num_classes=CLASSES, block=block,
                              downsample_layer=merging)


def narrow_alexnet() -> nn.Module:
    model = tv.alexnet(num_classes=CLASSES)
    model.avgpool = nn.AdaptiveAvgPool2d(1)
    model.classifier[1] = nn.Linear(256, 4096)
    return slim(model, 64)


def narrow_efficientnet() -> nn.Module:
    layers, last = efficientnet._efficientnet_conf("efficientnet_b0", width_mult=0.1, depth_mult=0.1)
    return tv.EfficientNet(layers[:4], 0.0, num_classes=CLASSES, last_channel=24)


def narrow_mobilenet_v3() -> nn.Module:
    layers, _ = mobilenetv3._mobilenet_v3_conf("mobilenet_v3_small", width_mult=0.1)
    return tv.MobileNetV3(layers[:5], 24, num_classes=CLASSES)


def narrow_regnet() -> nn.Module:
    blocks = regnet.BlockParams([1, 1], [8, 16], [4, 8], [1.0, 1.0], [2, 2], 0.25)
    return tv.RegNet(blocks, CLASSES, stem_width=8)


BLOCK_V1 = (swin_transformer.SwinTransformerBlock, swin_transformer.PatchMerging)
BLOCK_V2 = (swin_transformer.SwinTransformerBlockV2, swin_transformer.PatchMergingV2)
CONVNEXT = [tv.convnext.CNBlockConfig(8, 16, 1), tv.convnext.CNBlockConfig(16, None, 1)]

# Constructor, size, exporter, operator set; those in ONE_IMAGE without an open batch axis. With the six networks of generate_models.py these are all of
# torchvision's families of classifiers.
NARROW: dict[str, tuple[Callable[[], nn.Module], int, str, int]] = {
    "alexnet": (narrow_alexnet, 64, "dynamo", 18),
    "convnext": (lambda: tv.ConvNeXt(CONVNEXT, num_classes=CLASSES), 32, "dynamo", 20),
    "efficientnet": (narrow_efficientnet, 32, "torchscript", 13),
    "googlenet": (lambda: slim(tv.googlenet(num_classes=CLASSES, aux_logits=False, init_weights=False), 16), 64,
                  "dynamo", 20),
    "inception_v3": (lambda: slim(tv.inception_v3(num_classes=CLASSES, aux_logits=False, init_weights=False), 32),
                     107, "torchscript", 9),
    "maxvit": (lambda: tv.MaxVit((32, 32), 8, 2, [8], [1], 4, 0.0, num_classes=CLASSES), 32, "dynamo", 18),
    "mnasnet": (lambda: slim(tv.mnasnet1_0(num_classes=CLASSES), 32), 64, "torchscript", 11),
    "mobilenet_v3": (narrow_mobilenet_v3, 32, "torchscript", 17),
    "regnet_y": (narrow_regnet, 32, "dynamo", 20),
    "resnext": (lambda: slim(resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1], CLASSES, groups=32, width_per_group=4),
                             32), 64, "dynamo", 20),
    "shufflenet_v2": (lambda: tv.ShuffleNetV2([2, 1, 1], [8, 8, 16, 16, 32], CLASSES), 64, "dynamo", 20),
    "swin": (lambda: swin(4, [2], [2], *BLOCK_V1), 32, "torchscript", 17),
    "swin_v2": (lambda: swin(2, [2, 1], [2, 4], *BLOCK_V2), 32, "dynamo", 20),
    "vit": (lambda: tv.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=CLASSES), 32, "dynamo", 23),
    "vit_torchscript": (lambda: tv.VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=CLASSES), 32, "torchscript",
                        17),
}

ONE_IMAGE = {"swin", "vit_torchscript"}
