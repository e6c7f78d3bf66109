"""How many units of a group a width keeps."""

from tfelastic.errors import BudgetError
from tfelastic.graph import Group


def step_of(group: Group, round_to: int) -> int:
    """Return in how large steps, in units, a group is pruned.

    Kernels run fastest when channel counts are multiples of `round_to` (8 for phones, 4 for microcontrollers). In
    a group too narrow for that, `round_to` is halved until four steps fit, so 16 channels still give 16, 12, 8, 4.
    """
    if round_to < 1:
        raise BudgetError(f"round_to must be 1 or more channels, received {round_to}")
    step = round_to
    while step > 1 and step > group.size * group.channels // 4:
        step //= 2
    return max(1, step // group.channels)


def kept_units(group: Group, share: float, round_to: int) -> int:
    """Return how many units of `group` are the share `share` of it, to the nearest step, at least one step."""
    step = step_of(group, round_to)
    if share >= 1:
        return group.size
    steps = int(share * group.size / step + 0.5)
    return min(group.size, max(1, steps) * step)
