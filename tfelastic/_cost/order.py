"""The order in which a converted file runs a graph's steps."""

from collections import defaultdict

from tfelastic._plan import Selection
from tfelastic.graph import Step


def converted_order(selection: Selection) -> tuple[Step, ...]:
    """Return the steps of a graph under a plan in the order in which TensorFlow Lite runs them.

    The converter sorts a graph from its results backwards: a walk over the graph, last name first, that notes each
    step once all that follow it are noted; the notes are then read from the end. The walk starts at the weights, so
    at every layer that has some. A branch therefore runs before another one whose layers come later in the alphabet,
    whichever was written first.
    """
    source = selection.sources
    followers: dict[int, list[Step]] = defaultdict(list)
    for step in selection.steps:
        for tensor in step.inputs:
            followers[source.get(tensor.index, tensor.index)].append(step)
    noted: list[Step] = []
    seen: set[Step] = set()
    by_name = sorted(selection.steps, key=_name)
    weighted = [step for step in by_name if getattr(step.op, "weights", ())]
    # The last in the list is visited first.
    open_steps = [(step, False) for step in (*by_name, *weighted)]
    while open_steps:
        step, leaving = open_steps.pop()
        if leaving:
            noted.append(step)
        elif step not in seen:
            seen.add(step)
            open_steps.append((step, True))
            after = dict.fromkeys(s for tensor in step.outputs for s in followers[tensor.index])
            open_steps += [(s, False) for s in sorted(after, key=_name) if s not in seen]
    return tuple(reversed(noted))


def _name(step: Step) -> str:
    # As the converter spells it: behind a layer's name stands the number of the call.
    return f"{step.path}_1/"
