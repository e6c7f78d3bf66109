"""The other side of prune_speed.py: the same nets in PyTorch, pruned by Torch-Pruning.

Runs in an interpreter that has torch and torch_pruning, and prints one line of JSON: for each net its parameters
before and after, and for every repetition the seconds on the clock and on the processor.
"""

import argparse
import json
import time
import warnings

import torch
import torch_pruning
from torch import nn


def conv(
    inputs: int,
    filters: int,
    size: int = 1,
    *,
    stride: int = 1,
    groups: int = 1,
    act: type = nn.ReLU,
) -> list:
    """Return a convolution without bias, BatchNorm and activation."""
    padding = size // 2
    kernel = nn.Conv2d(inputs, filters, size, stride, padding, groups=groups, bias=False)
    return [kernel, nn.BatchNorm2d(filters), act()]


class Bottleneck(nn.Module):
    """The residual part of ResNet-50 (He et al., arXiv 1512.03385)."""

    def __init__(self, inputs: int, filters: int, stride: int, *, project: bool) -> None:
        super().__init__()
        parts = conv(inputs, filters, stride=stride) + conv(filters, filters, 3)
        self.body = nn.Sequential(*parts, *conv(filters, 4 * filters, act=nn.Identity))
        shortcut = conv(inputs, 4 * filters, stride=stride, act=nn.Identity) if project else []
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the shortcut."""
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet50() -> nn.Module:
    """Return ResNet-50 with 1,000 classes."""
    parts: list[nn.Module] = [*conv(3, 64, 7, stride=2), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, (filters, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for number in range(count):
            stride = 2 if stage and not number else 1
            parts.append(Bottleneck(inputs, filters, stride, project=not number))
            inputs = 4 * filters
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


class Inverted(nn.Module):
    """The residual part of EfficientNet (Tan and Le, arXiv 1905.11946), squeeze-and-excite inside."""

    def __init__(self, inputs: int, filters: int, size: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = inputs * expand
        widen = conv(inputs, wide, act=nn.SiLU) if expand > 1 else []
        self.depth = nn.Sequential(
            *widen, *conv(wide, wide, size, stride=stride, groups=wide, act=nn.SiLU)
        )
        squeezed = max(1, inputs // 4)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(wide, squeezed, 1),
            nn.SiLU(),
            nn.Conv2d(squeezed, wide, 1),
            nn.Sigmoid(),
        )
        self.project = nn.Sequential(*conv(wide, filters, act=nn.Identity))
        self.residual = stride == 1 and inputs == filters

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Gate, project, and add the shortcut where shapes allow."""
        deep = self.depth(x)
        y = self.project(deep * self.gate(deep))
        return x + y if self.residual else y


def efficientnet_b0() -> nn.Module:
    """Return EfficientNet-B0 with 1,000 classes."""
    stages = (
        (3, 1, 16, 1, 1),
        (3, 2, 24, 6, 2),
        (5, 2, 40, 6, 2),
        (3, 2, 80, 6, 3),
        (5, 1, 112, 6, 3),
        (5, 2, 192, 6, 4),
        (3, 1, 320, 6, 1),
    )
    parts, inputs = conv(3, 32, 3, stride=2, act=nn.SiLU), 32
    for size, stride, filters, expand, count in stages:
        for number in range(count):
            parts.append(Inverted(inputs, filters, size, stride if not number else 1, expand))
            inputs = filters
    parts += conv(inputs, 1280, act=nn.SiLU)
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def prune(model: nn.Module, image: torch.Tensor) -> None:
    """Halve the channels of `model` in place: build the dependency graph, rank by L2 norm, cut."""
    importance = torch_pruning.importance.MagnitudeImportance(p=2)
    classifier = [module for module in model.modules() if isinstance(module, nn.Linear)]
    pruner = torch_pruning.pruner.MagnitudePruner(
        model,
        image,
        importance=importance,
        pruning_ratio=0.5,
        round_to=8,
        ignored_layers=classifier,
    )
    pruner.step()


def measure(build, repeats: int) -> dict[str, object]:
    """Return the time of `repeats` prunings of a fresh net each, and its parameters before and after."""
    image = torch.zeros(1, 3, 224, 224)
    seconds, cpu_seconds = [], []
    for _ in range(repeats):
        model = build().eval()
        before = sum(weight.numel() for weight in model.parameters())
        start, cpu_start = time.perf_counter(), time.process_time()
        prune(model, image)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        after = sum(weight.numel() for weight in model.parameters())
    return {"before": before, "after": after, "seconds": seconds, "cpu_seconds": cpu_seconds}


def main() -> None:
    """Measure both nets and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    nets = {"ResNet50": resnet50, "EfficientNetB0": efficientnet_b0}
    print(json.dumps({name: measure(build, repeats) for name, build in nets.items()}))


if __name__ == "__main__":
    main()
