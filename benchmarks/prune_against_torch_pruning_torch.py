"""The other side of prune_against_torch_pruning.py: the same net in PyTorch, pruned by Torch-Pruning and fine-tuned.

    python prune_against_torch_pruning_torch.py ARRAYS.npz OPTIONS

Runs in an interpreter that has torch and torch_pruning. ARRAYS holds the weights, under the names of Y. Idelbayev's
pytorch_resnet_cifar10, and uint8 images with labels; OPTIONS is JSON. Prints one line of JSON.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch_pruning
from torch import nn

_MAX_SHIFT = 4
#: In how many steps the pruner would go down to nothing.
_STEPS = 400


class Block(nn.Module):
    """The residual part of a CIFAR ResNet (He et al., arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential() if inputs == outputs else padding(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the shortcut."""
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


def padding(inputs: int, outputs: int) -> nn.Module:
    """Return shortcut "A": every second pixel, with zeros as the channels on either side."""
    layer = nn.Conv2d(inputs, outputs, 1, 2, bias=False)
    first = (outputs - inputs) // 2
    with torch.no_grad():
        layer.weight.zero_()
        for channel in range(inputs):
            layer.weight[first + channel, channel] = 1
    layer.weight.requires_grad_(requires_grad=False)
    return layer


class ResNet(nn.Module):
    """A CIFAR ResNet that takes raw pixels, 0 to 255."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inputs = 16
        for stage, outputs in enumerate((16, 32, 64), start=1):
            parts = []
            for number in range(blocks):
                parts.append(Block(inputs, outputs, 2 if stage > 1 and not number else 1))
                inputs = outputs
            setattr(self, f"layer{stage}", nn.Sequential(*parts))
        self.linear = nn.Linear(64, 10)
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        x = torch.relu(self.bn1(self.conv1((x / 255 - self.mean) / self.std)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def loaded(weights: Mapping[str, np.ndarray]) -> ResNet:
    """Return the net with these weights."""
    blocks = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layer1."))
    model = ResNet(blocks)
    state = {name: torch.from_numpy(value) for name, value in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    wrong = [name for name in missing if "shortcut" not in name and "num_batches" not in name]
    if wrong or unexpected:
        raise RuntimeError(f"the weights are another net's: {wrong + list(unexpected)}")
    return model.eval()


def prune(model: nn.Module, speed_up: float) -> float:
    """Cut channels by the group-norm pruner until the multiply-adds have fallen so far; return by how far they fell."""
    image = torch.zeros(1, 3, 32, 32)
    before, _ = torch_pruning.utils.count_ops_and_params(model, image)
    pruner = torch_pruning.pruner.GroupNormPruner(
        model,
        image,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        global_pruning=True,
        pruning_ratio=1.0,
        iterative_steps=_STEPS,
        ignored_layers=[model.linear],
    )
    for _ in range(_STEPS):
        pruner.step()
        after, _ = torch_pruning.utils.count_ops_and_params(model, image)
        if before / after >= speed_up:
            return before / after
    raise RuntimeError(
        f"no more than {before / after:.2f}x fewer multiply-adds can be had, asked for {speed_up}x"
    )


def batches(
    images: np.ndarray, labels: np.ndarray, options: Mapping[str, Any], epoch: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield what `tfelastic.data.Batches` yields with the augmentation "shift-flip" and the same seed."""
    seed, size = options["seed"], options["batch_size"]
    order = np.random.default_rng((seed, epoch, 0)).permutation(len(images))
    for index in range(-(-len(images) // size)):
        chosen = order[index * size : (index + 1) * size]
        random = np.random.default_rng((seed, epoch, index + 1))
        border = (_MAX_SHIFT, _MAX_SHIFT)
        padded = np.pad(images[chosen], ((0, 0), border, border, (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[1:3], axis=(1, 2))
        top, left = random.integers(0, 2 * _MAX_SHIFT + 1, size=(2, len(chosen)))
        moved = windows[np.arange(len(chosen)), top, left]
        mirrored = random.random(len(moved)) < 0.5
        moved[mirrored] = moved[mirrored][..., ::-1]
        yield torch.from_numpy(moved.astype(np.float32)), torch.from_numpy(labels[chosen])


def train(
    model: nn.Module, images: np.ndarray, labels: np.ndarray, options: Mapping[str, Any]
) -> None:
    """Train the net in place."""
    optimizer = torch.optim.SGD(
        [each for each in model.parameters() if each.requires_grad],
        options["learning_rate"],
        momentum=0.9,
        nesterov=True,
        weight_decay=options["weight_decay"],
    )
    steps = options["epochs"] * -(-len(images) // options["batch_size"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train().to(memory_format=torch.channels_last)
    for epoch in range(options["epochs"]):
        for x, y in batches(images, labels, options, epoch):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()


@torch.no_grad()
def right(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> list[int]:
    """Return for each example whether the net is right, 1 or 0."""
    found: list[int] = []
    for start in range(0, len(images), 500):
        x = torch.from_numpy(images[start : start + 500].astype(np.float32)).permute(0, 3, 1, 2)
        answers = model(x).argmax(1).numpy() == labels[start : start + 500]
        found += answers.astype(int).tolist()
    return found


def main() -> None:
    """Prune, fine-tune, and print the result as JSON."""
    options = json.loads(sys.argv[2])
    torch.manual_seed(options["seed"])
    with np.load(sys.argv[1]) as file:
        arrays = {name: file[name] for name in file.files}
    weights = {
        name.removeprefix("weights/"): value
        for name, value in arrays.items()
        if name.startswith("weights/")
    }
    test = arrays["test/images"], arrays["test/labels"].astype(np.int64)
    model = loaded(weights)
    baseline = right(model, *test)
    speed_up = prune(model, options["speed_up"])
    pruned = right(model, *test)
    train(model, arrays["train/images"], arrays["train/labels"].astype(np.int64), options)
    answers = right(model, *test)
    found = {
        "baseline": float(np.mean(baseline)),
        "speed_up": speed_up,
        "params": sum(each.numel() for each in model.parameters() if each.requires_grad),
        "pruned": float(np.mean(pruned)),
        "tuned": float(np.mean(answers)),
        "right": answers,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
