"""The other side of training_speed.py: the same net in compiled PyTorch, channels last.

    python training_speed_torch.py NET BATCH_SIZE ROUNDS PRECISION

Runs in an interpreter that has torch, and prints images a second, or null for a net that it does not have.
"""

import json
import statistics
import sys
import time
from contextlib import nullcontext

import torch
from torch import nn


def conv(inputs: int, outputs: int, *, stride: int = 1, size: int = 3) -> list[nn.Module]:
    """Return a convolution without bias and its BatchNorm."""
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    return [layer, nn.BatchNorm2d(outputs)]


class Residual(nn.Module):
    """The residual part of ResNet-20 and ResNet-56 (He et al., arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        first = [*conv(inputs, outputs, stride=stride), nn.ReLU()]
        self.body = nn.Sequential(*first, *conv(outputs, outputs))
        same = inputs == outputs
        shortcut = [] if same else conv(inputs, outputs, stride=stride, size=1)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the shortcut."""
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet(blocks: int) -> nn.Module:
    """Return a ResNet for CIFAR with `blocks` residual parts in each of three stages."""
    parts: list[nn.Module] = [*conv(3, 16), nn.ReLU()]
    inputs = 16
    for stage, outputs in enumerate((16, 32, 64)):
        for number in range(blocks):
            parts.append(Residual(inputs, outputs, 2 if stage and not number else 1))
            inputs = outputs
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def vgg16() -> nn.Module:
    """Return VGG-16 with BatchNorm for 32x32 pixels (Simonyan and Zisserman, arXiv 1409.1556)."""
    parts: list[nn.Module] = []
    inputs = 3
    for outputs, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            parts += [*conv(inputs, outputs), nn.ReLU()]
            inputs = outputs
        parts.append(nn.MaxPool2d(2))
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(512, 10))


NETS = {"resnet20": lambda: resnet(3), "resnet56": lambda: resnet(9), "vgg16_cifar": vgg16}


def measure(name: str, batch_size: int, rounds: int, precision: str) -> float:
    """Return images a second, the median of `rounds` steps after two that compile."""
    model = NETS[name]().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), 1e-3, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    images = torch.randn(batch_size, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (batch_size,))
    forward = torch.compile(model)
    mixed = precision == "mixed_bfloat16"
    taken = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext():
            loss = nn.functional.cross_entropy(forward(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        float(loss)
        taken.append(time.perf_counter() - start)
    return batch_size / statistics.median(taken[2:])


def main() -> None:
    """Measure one net and print the result as JSON."""
    name, batch_size, rounds, precision = sys.argv[1:]
    known = name in NETS
    print(json.dumps(measure(name, int(batch_size), int(rounds), precision) if known else None))


if __name__ == "__main__":
    main()
