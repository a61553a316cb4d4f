"""Makes the golden values of test/repairs with PyTorch: `python generate_repairs.py` writes *.json beside itself.

Networks and weights are those of test/train/goldens/make.py; images, labels and what is drawn come from
formulas that both sides evaluate. Everything is computed in float64.
"""

import copy
import json
import math
import pathlib
import sys

import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "train" / "goldens"))
from make import VERSIONS, Tiny, fill, start  # noqa: E402

CLASSES, SIDE, BATCH, STEPS = 5, 8, 8, 3
EPSILON = 1e-5


class Plain(nn.Module):
    """Two convolutions with biases and no batch norm."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.fc = nn.Linear(6, CLASSES)


def features(model, x):
    """Both feature maps; batch norm follows a convolution where the model has some."""
    norm = lambda name, y: getattr(model, name)(y) if hasattr(model, name) else y
    first = F.relu(norm("bn1", model.conv1(x)))
    return first, F.relu(norm("bn2", model.conv2(first)))


def latent(model, x):
    """Input of the last layer."""
    return features(model, x)[1].mean((2, 3))


def trusted(n):
    """n images in steps of 1/255, labels that leave out two of the five classes in every batch."""
    images = torch.floor((fill(7, (n, 3, SIDE, SIDE)) + 1) / 2 * 255.999) / 255
    return images, torch.tensor([(i * i) % CLASSES for i in range(n)])


def centroids(latents, labels):
    return [latents[labels == c].mean(0) for c in sorted(set(labels.tolist()))]


def slol(pivot, tuned, labels, form):
    """Algorithm 3, pair by pair."""
    c, t = centroids(pivot, labels), centroids(tuned, labels)
    total = torch.zeros((), dtype=torch.float64)
    for i in range(len(c)):
        for j in range(i + 1, len(c)):
            total = total + F.cosine_similarity(c[i] - c[j], t[i] - t[j], dim=0)
            if form == "paper":
                total = total + F.cosine_similarity(t[i], t[j], dim=0)
    if form == "released":
        stacked = torch.stack(t)
        moment = stacked.T @ stacked / len(t)
        total = total + torch.linalg.norm(moment - torch.diag(moment))
    return total


def slol_cases():
    cases = []
    n, d = 12, 7
    for present in ([0, 1, 2, 3, 4, 5], [0, 2, 5], [1, 4], [3]):
        for form in ("paper", "released"):
            labels = torch.tensor([present[i % len(present)] for i in range(n)])
            pivot, tuned = fill(1, (n, d)), fill(2, (n, d)).requires_grad_()
            value = slol(pivot, tuned, labels, form)
            gradient = torch.zeros(n, d)
            if value.requires_grad:
                (gradient,) = torch.autograd.grad(value, tuned)
            cases.append(
                {
                    "form": form,
                    "labels": labels.tolist(),
                    "value": value.item(),
                    "gradient": gradient.flatten().tolist(),
                }
            )
    return cases


def reinserted(model, images):
    """The model with batch norm behind its convolutions that starts as the identity on `images`."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        x = images
        for i in (1, 2):
            y = getattr(model, f"conv{i}")(x)
            mean, variance = y.mean((0, 2, 3)), y.var((0, 2, 3), unbiased=False)
            bn = nn.BatchNorm2d(y.shape[1], eps=EPSILON).double()
            bn.weight.copy_((variance + EPSILON).sqrt())
            bn.bias.copy_(mean)
            bn.running_mean.copy_(mean)
            bn.running_var.copy_(variance)
            setattr(model, f"bn{i}", bn)
            x = F.relu(y)
    return model


def folded(model):
    """The weights of a model with batch norm behind every convolution, without it."""
    state = dict(model.state_dict())
    for i in (1, 2):
        s = state[f"bn{i}.weight"] / (state[f"bn{i}.running_var"] + EPSILON).sqrt()
        state[f"conv{i}.weight"] = state[f"conv{i}.weight"] * s[:, None, None, None]
        shifted = state[f"conv{i}.bias"] - state[f"bn{i}.running_mean"]
        state[f"conv{i}.bias"] = shifted * s + state[f"bn{i}.bias"]
    return {name: value for name, value in state.items() if not name.startswith("bn")}


def tune(*given, **options):
    """Loss of every step, and the weights after it."""
    return tuned(*given, **options)[0]


def tuned(model, batch_norm, optimiser_of, loss_of, rates, images, labels, after=lambda model: None):
    """The same, and the model after the last step."""
    pivot = copy.deepcopy(model).eval()
    student = reinserted(model, images) if batch_norm == "reinsert" else copy.deepcopy(model)
    student.train(batch_norm != "frozen")
    origin = {name: p.detach().clone() for name, p in student.named_parameters()}
    optimiser = optimiser_of(student.parameters())
    steps = []
    for i, rate in enumerate(rates):
        x, y = images[i * BATCH : (i + 1) * BATCH], labels[i * BATCH : (i + 1) * BATCH]
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        loss = loss_of(student, pivot, origin, x, y)
        loss.backward()
        optimiser.step()
        after(student)
        states = {"live": student.state_dict(), "frozen": dict(student.named_parameters())}
        state = folded(student) if batch_norm == "reinsert" else states[batch_norm]
        weights = {name: v.flatten().tolist() for name, v in state.items() if v.is_floating_point()}
        steps.append({"loss": loss.item(), "weights": weights})
    return steps, student


def pivotal_tuning(model, batch_norm, form, distance, weight_s, weight_p):
    images, labels = trusted(STEPS * BATCH)

    def loss_of(student, pivot, origin, x, y):
        tuned = latent(student, x)
        with torch.no_grad():
            kept = latent(pivot, x)
        squares = sum(((p - origin[name]) ** 2).sum() for name, p in student.named_parameters())
        count = sum(p.numel() for p in student.parameters())
        if distance == "mean-squared":
            apart = squares / count
        else:
            apart = squares.sqrt() if squares.item() > 0 else 0 * squares
        task = F.cross_entropy(student.fc(tuned), y)
        return task + weight_s * slol(kept, tuned, y, form) + weight_p * apart

    sgd = lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9, nesterov=True)
    return {
        "network": type(model).__name__,
        "batchNorm": batch_norm,
        "slol": form,
        "paramDistance": distance,
        "lambdaS": weight_s,
        "lambdaP": weight_p,
        "learningRate": 0.05,
        "steps": tune(model, batch_norm, sgd, loss_of, [0.05] * STEPS, images, labels),
    }


def feature_shift_tuning(alpha, weight, temperature):
    """Two steps from a head that is drawn anew, on a cosine."""
    images, labels = trusted(STEPS * BATCH)
    model = start(Tiny())
    suspect = model.fc.weight.detach().clone()
    norm = suspect.norm()
    # What `inOrder` in test/support gives for uniform(−1/√d, 1/√d): low + (high − low)·frac((i+1)·φ).
    golden_ratio = (math.sqrt(5) - 1) / 2
    u = torch.tensor([math.fmod((i + 1) * golden_ratio, 1) for i in range(suspect.numel())], dtype=torch.float64)
    bound = 1 / math.sqrt(suspect.shape[1])
    drawn = (-bound + 2 * bound * u).reshape(suspect.shape)

    def loss_of(student, pivot, origin, x, y):
        if torch.equal(student.fc.weight, suspect):
            with torch.no_grad():
                student.fc.weight.copy_(drawn * (norm / drawn.norm()))
        logits = student.fc(latent(student, x))
        with torch.no_grad():
            teacher = pivot.fc(latent(pivot, x))
        kl = F.kl_div(
            F.log_softmax(logits / temperature, 1), F.softmax(teacher / temperature, 1), reduction="batchmean"
        )
        task = F.cross_entropy(logits, y)
        return task + alpha * (student.fc.weight * suspect).sum() + weight * temperature**2 * kl

    def restore(student):
        with torch.no_grad():
            student.fc.weight.mul_(norm / student.fc.weight.norm())

    sgd = lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9)
    rates = [0.05, 0.025]  # ½·0.05·(1 + cos(πt/2))
    return {
        "alpha": alpha,
        "distillation": weight,
        "temperature": temperature,
        "learningRate": 0.05,
        "steps": tune(model, "live", sgd, loss_of, rates, images, labels, restore),
    }


def task_of(student, pivot, origin, x, y):
    return F.cross_entropy(student.fc(latent(student, x)), y)


def weight_decay(model, batch_norm, decay):
    sgd = lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9, weight_decay=decay)
    return {
        "network": type(model).__name__,
        "batchNorm": batch_norm,
        "options": {"weightDecay": decay, "learningRate": 0.05},
        "steps": tune(model, batch_norm, sgd, task_of, [0.05] * STEPS, *trusted(STEPS * BATCH)),
    }


def fine_pruning(model, batch_norm, layers, share):
    images, labels = trusted(STEPS * BATCH)
    masks = {}
    with torch.no_grad():
        for i, map_ in enumerate(features(copy.deepcopy(model).eval(), images), 1):
            if layers == "last" and i == 1:
                continue
            activity = map_.abs().mean((0, 2, 3))
            quiet = activity.argsort(stable=True)[: int(share * len(activity))]
            conv = getattr(model, f"conv{i}")
            for kind in ("weight", "bias"):
                if getattr(conv, kind) is not None:
                    masks[f"conv{i}.{kind}"] = torch.ones_like(getattr(conv, kind))
                    masks[f"conv{i}.{kind}"][quiet] = 0

    def cut(network):
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name in masks:
                    parameter.mul_(masks[name])

    cut(model)
    sgd = lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9)
    return {
        "network": type(model).__name__,
        "batchNorm": batch_norm,
        "options": {"layers": layers, "pruned": share, "batches": STEPS, "learningRate": 0.05},
        "steps": tune(model, batch_norm, sgd, task_of, [0.05] * STEPS, images, labels, cut),
    }


def nad(model, batch_norm, power, weight):
    images, labels = trusted(STEPS * BATCH)
    sgd = lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9)
    _, teacher = tuned(model, batch_norm, sgd, task_of, [0.05] * 2, images, labels)
    teacher.eval()

    def attention(map_):
        return F.normalize(map_.abs().pow(power).sum(1).flatten(1), dim=1)

    def loss_of(student, pivot, origin, x, y):
        with torch.no_grad():
            taught = [attention(m) for m in features(teacher, x)]
        maps = features(student, x)
        task = F.cross_entropy(student.fc(maps[1].mean((2, 3))), y)
        return task + weight * sum(F.mse_loss(attention(m), t) for m, t in zip(maps, taught))

    return {
        "network": type(model).__name__,
        "batchNorm": batch_norm,
        "options": {"power": power, "attention": weight, "teacherSteps": 2, "learningRate": 0.05},
        "steps": tune(model, batch_norm, sgd, loss_of, [0.05] * STEPS, images, labels),
    }


def ft_sam(model, batch_norm, radius, smoothing):
    """Three steps on a cosine, the slope of each taken uphill."""
    def loss_of(student, pivot, origin, x, y):
        loss_at = lambda network: F.cross_entropy(network.fc(latent(network, x)), y, label_smoothing=smoothing)
        names, parameters = zip(*student.named_parameters())
        slopes = torch.autograd.grad(loss_at(student), parameters)
        scaled = [p.detach().abs() * g for p, g in zip(parameters, slopes)]
        length = torch.sqrt(sum((s**2).sum() for s in scaled) + 1e-12)
        # A copy whose weights are moved: it keeps its running statistics to itself.
        ahead = copy.deepcopy(student)
        for name, p, s in zip(names, parameters, scaled):
            module, leaf = name.rsplit(".", 1)
            owner = ahead.get_submodule(module)
            del owner._parameters[leaf]
            setattr(owner, leaf, p + radius * p.detach().abs() * s / length)
        return loss_at(ahead)

    sgd = lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9)
    rates = [0.05 * 0.5 * (1 + math.cos(math.pi * t / STEPS)) for t in range(STEPS)]
    return {
        "network": type(model).__name__,
        "batchNorm": batch_norm,
        "options": {"radius": radius, "labelSmoothing": smoothing, "learningRate": 0.05},
        "steps": tune(model, batch_norm, sgd, loss_of, rates, *trusted(STEPS * BATCH)),
    }


def write(name, content):
    rounded = json.loads(json.dumps(content), parse_float=lambda s: float(f"{float(s):.9g}"))
    (HERE / f"{name}.json").write_text(json.dumps({"versions": VERSIONS, "cases": rounded}) + "\n")


if __name__ == "__main__":
    write("slol", slol_cases())
    write(
        "pivotal-tuning",
        [
            pivotal_tuning(start(Tiny()), "live", "paper", "mean-squared", 0.05, 100),
            pivotal_tuning(start(Tiny()), "live", "released", "l2", 0.2, 0.5),
            pivotal_tuning(start(Tiny()), "frozen", "paper", "l2", 0.2, 0.5),
            pivotal_tuning(start(Plain()), "live", "paper", "mean-squared", 0.2, 100),
            pivotal_tuning(start(Plain()), "live", "released", "l2", 0.05, 0.5),
            pivotal_tuning(start(Plain()), "reinsert", "paper", "mean-squared", 0.2, 100),
        ],
    )
    write(
        "feature-shift-tuning",
        [feature_shift_tuning(0.1, 1, 2), feature_shift_tuning(0.3, 0, 2), feature_shift_tuning(0.2, 0.5, 4)],
    )
    write("weight-decay", [weight_decay(start(Tiny()), "live", 0.01), weight_decay(start(Plain()), "live", 0.3)])
    write(
        "fine-pruning",
        [fine_pruning(start(Tiny()), "live", "all", 0.5), fine_pruning(start(Plain()), "live", "last", 0.7)],
    )
    write("nad", [nad(start(Tiny()), "live", 2, 10), nad(start(Plain()), "live", 3, 100)])
    write("ft-sam", [ft_sam(start(Tiny()), "live", 0.5, 0.1), ft_sam(start(Plain()), "live", 2, 0)])
