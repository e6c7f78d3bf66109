"""Times trace, plan and prune of ResNet-50 and EfficientNet-B0, beside Torch-Pruning on the same nets.

    python -m benchmarks.prune_speed --torch-python /path/to/python

Both sides halve the channels of every prunable group, ranked by their L2 norm and rounded to 8. Torch-Pruning runs
in an interpreter of its own (`--torch-python`, which needs torch and torch-pruning), so neither side loads the
other's framework; the two take turns, so that a busy machine hinders both alike. Each repetition starts from a
net that was just made. Clock seconds count what a user waits; processor seconds what the work takes.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

import tfelastic as te
from benchmarks.quiet_machine import measured_quietly
from benchmarks.torch_process import answer_of_torch

OTHER_SIDE = Path(__file__).with_name("prune_speed_torch.py")
NETS = ("ResNet50", "EfficientNetB0")


def prune_once(name: str) -> dict[str, Any]:
    """Halve the channels of a fresh net; return its parameters before and after, and the time of each part."""
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    clock, processor = [time.perf_counter()], [time.process_time()]

    def lap() -> None:
        clock.append(time.perf_counter())
        processor.append(time.process_time())

    graph = te.trace(model)
    lap()
    plan = te.ladder(graph, widths=(1.0, 0.5), criterion="magnitude").rungs[1].plan
    lap()
    pruned = te.prune(graph, plan)
    lap()
    parts = zip(("trace", "plan", "prune"), clock[1:], clock, strict=False)
    return {
        "before": model.count_params(),
        "after": pruned.count_params(),
        "seconds": clock[-1] - clock[0],
        "cpu_seconds": processor[-1] - processor[0],
        **{part: end - start for part, end, start in parts},
    }


def other_side(python: str) -> dict[str, Any] | None:
    """Prune each net once by Torch-Pruning; return the times, or `None` where it is not installed."""
    return answer_of_torch([python, str(OTHER_SIDE), "--repeats", "1"])


def both_sides(python: str, repeats: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Prune by both in turn; return the times of every round, those of the other side where it is installed."""
    rounds, others = [], []
    for _ in range(repeats):
        rounds.append({name: prune_once(name) for name in NETS})
        theirs = other_side(python)
        if theirs is not None:
            others.append(theirs)
    return rounds, others


def compare(
    rounds: list[dict[str, Any]], others: list[dict[str, Any]], name: str
) -> dict[str, Any]:
    """Return the medians of both sides for one net, and how many times longer the other side takes."""
    ours = [each[name] for each in rounds]
    kinds = ("seconds", "cpu_seconds", "trace", "plan", "prune")
    result = {kind: round(statistics.median(each[kind] for each in ours), 3) for kind in kinds}
    result |= {"net": name, "params": [ours[0]["before"], ours[0]["after"]]}
    if others:
        theirs = [each[name] for each in others]
        result["torch_params"] = [theirs[0]["before"], theirs[0]["after"]]
        for kind in ("seconds", "cpu_seconds"):
            median = statistics.median(each[kind][0] for each in theirs)
            result[f"torch_{kind}"] = round(median, 3)
            result[f"torch_{kind}_over_ours"] = round(median / result[kind], 2)
    return result


def main() -> None:
    """Run both sides in turn and print the medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter with torch")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two repetitions")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.repeats = 2
    rounds, others = measured_quietly(lambda: both_sides(arguments.torch_python, arguments.repeats))
    if not others:
        told = f"{arguments.torch_python} has no torch_pruning: only our side was measured"
        print(told, file=sys.stderr)
    for name in NETS:
        print(json.dumps(compare(rounds, others, name)))


if __name__ == "__main__":
    main()
