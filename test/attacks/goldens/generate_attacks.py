"""Makes the golden values of test/attacks with PyTorch: `python generate_attacks.py` writes *.json beside itself.

Images come from a formula that both sides evaluate. Everything is computed in float64.
"""

import json
import pathlib
import sys

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "train" / "goldens"))
from make import VERSIONS, fill  # noqa: E402

GAMMA = 2.2


def images(seed, shape):
    """Images in steps of 1/255."""
    return torch.floor((fill(seed, shape) + 1) / 2 * 255.999) / 255


def wanet(seed, shape, k, strength):
    _, _, height, width = shape
    field = fill(seed, (1, 2, k, k))
    normalised = field / field.abs().mean()
    noise = F.interpolate(normalised, size=(height, width), mode="bicubic", align_corners=True)
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=torch.float64),
        torch.linspace(-1, 1, width, dtype=torch.float64),
        indexing="ij",
    )
    identity = torch.stack((x, y))[None]
    extent = torch.tensor([width, height]).reshape(1, 2, 1, 1)
    grid = torch.clamp(identity + strength * noise / extent, -1, 1)
    warped = F.grid_sample(images(seed + 1, shape), grid.permute(0, 2, 3, 1), align_corners=True)
    return {
        "shape": shape,
        "seed": seed + 1,
        "strength": strength,
        "field": field.flatten().tolist(),
        "grid": grid.flatten().tolist(),
        "warped": warped.flatten().tolist(),
    }


def ghost(seed, shape, shift, share, opacity):
    """Padded right and below, padded left and above, cropped to where both are, resized back."""
    light = images(seed, shape) ** GAMMA
    first = F.pad(light, (0, shift, 0, shift))
    second = F.pad(light, (shift, 0, shift, 0))
    both = (share * first + (1 - share) * second)[..., shift:-shift, shift:-shift]
    reflection = F.interpolate(both, size=shape[2:], mode="bilinear", align_corners=False)
    return {
        "shape": shape,
        "seed": seed,
        "options": {"mode": "ghost", "shift": shift, "ghost": share, "opacity": opacity},
        "stamped": blend(light, reflection, opacity),
    }


def photograph(seed, shape, blur, opacity):
    """The photograph is that of the next seed."""
    _, channels, _, width = shape
    deviation = blur * width / 32
    reach = int(torch.ceil(torch.tensor(2 * deviation)))
    taps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    bell = torch.exp(-0.5 * (taps / deviation) ** 2)
    kernel = torch.outer(bell, bell) / bell.sum() ** 2
    padded = F.pad(images(seed + 1, shape) ** GAMMA, (reach,) * 4, mode="replicate")
    reflection = F.conv2d(padded, kernel.repeat(channels, 1, 1, 1), groups=channels)
    return {
        "shape": shape,
        "seed": seed,
        "options": {"mode": "photograph", "blur": blur, "opacity": opacity},
        "stamped": blend(images(seed, shape) ** GAMMA, reflection, opacity),
    }


def blend(light, reflection, opacity):
    return (((1 - opacity) * light + opacity * reflection) ** (1 / GAMMA)).flatten().tolist()


def write(name, cases):
    rounded = json.loads(json.dumps(cases), parse_float=lambda s: float(f"{float(s):.9g}"))
    (HERE / f"{name}.json").write_text(json.dumps({"versions": VERSIONS, "cases": rounded}) + "\n")


if __name__ == "__main__":
    # The last one moves pixels beyond all four edges.
    write("wanet", [wanet(1, (1, 1, 32, 32), 4, 1.5), wanet(3, (1, 3, 12, 16), 3, 6)])
    write(
        "refool",
        [
            ghost(5, (1, 1, 32, 32), 3, 0.5, 1),
            ghost(6, (1, 3, 12, 16), 2, 0.3, 0.6),
            photograph(7, (1, 3, 12, 16), 2.5, 0.4),
        ],
    )
