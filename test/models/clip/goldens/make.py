"""Makes the golden values of test/models/clip with the library transformers: `python make.py` writes beside itself.

`folder/` is a small CLIP model in the layout of Hugging Face, without its weights: those, and the images, come from a
formula that both sides evaluate (`fill` of test/train/goldens/make.py). Everything is computed in float64, eagerly:
what differs from our float32 is our rounding. Made with torch 1.13.0, transformers 4.46.3 and tokenizers 0.20.3.
"""

import json
import pathlib
import sys

import tokenizers
import torch
import transformers
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizerFast

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "folder"
sys.path.insert(0, str(HERE.parents[2] / "train" / "goldens"))
from make import fill  # noqa: E402

torch.set_default_dtype(torch.float64)

SIDE, IMAGES = 32, 3
CLASSES = ["cat", "n02123045 tabby, tabby cat", "fire_truck", "Photo of a train"]
TEMPLATES = ["a photo of a {}.", "{} in the rain", "the {}"]
TEXTS = [
    "a photo of a cat.",
    "  A  Photo OF\tthe   Cat's 3-toed paw!! ",
    "na\u00efve caf\u00e9 \u2014 42 \u00f1",
    "don't we'll they've i'm",
    "\u65e5\u672c photo \U0001f600",
    "a_b snake_case",
    "e\u0301 \u00e9",
    "x\u00b2\u00bd 100% \u2026",
    "\u0130stanbul STRASSE \u00df",
    "",
]


def tokenizer() -> CLIPTokenizerFast:
    """CLIP's tokenizer with its alphabet of bytes and a dozen merges."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    merges = ["p h", "ph o", "t o</w>", "pho to</w>", "o f</w>", "a n", "an d</w>", "c a", "ca t</w>", "i n", "in g</w>"]
    pieces = alphabet + [f"{c}</w>" for c in alphabet] + [m.replace(" ", "") for m in merges]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}) + "\n")
    (FOLDER / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    made = CLIPTokenizerFast(str(FOLDER / "vocab.json"), str(FOLDER / "merges.txt"), model_max_length=32)
    made.backend_tokenizer.save(str(FOLDER / "tokenizer.json"), pretty=False)
    return made


def configuration(vocabulary: int, activation: str) -> CLIPConfig:
    common = {"num_hidden_layers": 2, "hidden_act": activation}
    return CLIPConfig(
        text_config={
            **common, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "vocab_size": vocabulary,
            "max_position_embeddings": 32, "bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1,
        },
        vision_config={
            **common, "hidden_size": 48, "intermediate_size": 64, "num_attention_heads": 3, "image_size": SIDE,
            "patch_size": 8,
        },
        projection_dim=24,
    )


def filled(model: CLIPModel) -> CLIPModel:
    """U(±√(3/fan-in)) for matrices, near their usual values for the rest; logits are scaled by e²."""
    model = model.double().eval()
    with torch.no_grad():
        for seed, (name, p) in enumerate(model.named_parameters()):
            if name == "logit_scale":
                p.fill_(2)
            elif p.dim() > 1:
                p.copy_(fill(seed, p.shape, (3 / p[0].numel()) ** 0.5))
            else:
                small = fill(seed, p.shape, 0.2)
                p.copy_((1 + small).float() if name.endswith("weight") else small)
    return model


def summary(gradient: torch.Tensor) -> dict:
    """The norm of a gradient and seven of its entries, evenly spread."""
    flat = gradient.flatten()
    places = [i * (flat.numel() - 1) // 6 for i in range(7)]
    return {"norm": flat.norm().item(), "entries": flat[places].tolist()}


def words(name: str) -> str:
    """A class name as it stands in prompts."""
    first, _, rest = name.partition(" ")
    named = rest if first.startswith("n0") else name
    return named.split(",")[0].replace("_", " ")


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


tokens = tokenizer()
images = (fill(1000, (IMAGES, 3, SIDE, SIDE)) + 1) / 2
processor = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
processor.save_pretrained(FOLDER)
golden = {
    "versions": {m.__name__: m.__version__ for m in (torch, transformers, tokenizers)},
    "tokens": [{"text": text, "ids": tokens(text)["input_ids"]} for text in TEXTS],
}
for activation in ("quick_gelu", "gelu"):
    config = configuration(len(tokens), activation)
    model = filled(CLIPModel(config))
    batch = tokens(["a photo of a cat.", "the fire truck in the rain", "x"], padding=True, return_tensors="pt")
    own = images.clone().requires_grad_()
    out = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], pixel_values=own)
    loss = F.cross_entropy(out.logits_per_image, torch.tensor([2, 0, 1]))
    loss.backward()
    golden[activation] = {
        "ids": batch["input_ids"].tolist(),
        "imageEmbeddings": out.image_embeds.tolist(),
        "textEmbeddings": out.text_embeds.tolist(),
        "logits": out.logits_per_image.tolist(),
        "loss": loss.item(),
        "imageGradient": summary(own.grad),
        "gradient": {name: summary(p.grad) for name, p in model.named_parameters()},
    }
    if activation == "gelu":
        continue
    golden["shapes"] = {name: list(p.shape) for name, p in model.named_parameters()}
    config.save_pretrained(FOLDER)
    with torch.no_grad():
        heads = []
        for name in CLASSES:
            prompts = tokens([t.replace("{}", words(name)) for t in TEMPLATES], padding=True, return_tensors="pt")
            heads.append(unit(unit(model.get_text_features(**prompts)).mean(0)))
        pixels = (images - torch.tensor(processor.image_mean).view(3, 1, 1)) / torch.tensor(processor.image_std).view(3, 1, 1)
        latents = unit(model.get_image_features(pixel_values=pixels))
        head = torch.stack(heads) * model.logit_scale.exp()
    golden["zeroShot"] = {
        "classes": CLASSES, "templates": TEMPLATES, "head": head.tolist(), "logits": (latents @ head.T).tolist(),
    }

(HERE / "clip.json").write_text(json.dumps(golden) + "\n")
