"""Which operations of the zoo's files compute nothing that a network is for: paddings, reshapes, scalings of the input.

For each network the int8 .tflite is converted, and operators are counted that a converter could do without: PAD before
a strided convolution, RESHAPE, QUANTIZE and DEQUANTIZE, and the MUL and ADD that scale the image.

    python -m benchmarks.avoidable_operations [NET ...] [--write docs/costs.md]
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import tfelastic as te
import tflite_export as tx
from benchmarks.cost_models import NETS, built
from benchmarks.measured_page import write
from tfelastic._cost import lower
from tfelastic._plan import Selection
from tflite_export.tflite import summarize

AVOIDABLE = ("PAD", "RESHAPE", "QUANTIZE", "DEQUANTIZE")


def counted(model: keras.Model) -> dict[str, int]:
    """Return how many operations of each avoidable kind the model's int8 file has, and how many in all."""
    samples = np.random.default_rng(0).integers(0, 256, (2, *model.input_shape[1:]), dtype=np.uint8)
    operators = summarize(tx.convert(model, samples=samples)).operators
    lowered = lower(Selection(te.trace(model))).operations
    scaling = sum(type(each.step.op).__name__ in ("Rescaling", "Normalization") for each in lowered)
    return {
        **{kind: operators.get(kind, 0) for kind in AVOIDABLE},
        "scaling of the input": scaling,
        "all": sum(operators.values()),
    }


def row(net: str, counts: Mapping[str, int]) -> str:
    """Return a network's row of the table."""
    return f"| {net} | {' | '.join(map(str, counts.values()))} |"


def main() -> None:
    """Count, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    options = parser.parse_args()
    kinds = (*AVOIDABLE, "scaling of the input", "all")
    lines = [f"| network | {' | '.join(kinds)} |", f"|---|{'---:|' * len(kinds)}"]
    print(*lines, sep="\n")
    for net in options.nets:
        lines.append(row(net, counted(built(net))))
        print(lines[-1], flush=True)
    if options.write:
        write(options.write, "\n".join(lines), mark="avoidable operations")


if __name__ == "__main__":
    main()
