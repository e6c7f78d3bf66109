"""Storing variants so that what they share is stored once: the payload of a bundle.

The first variant is stored whole. Each next one is taken apart into its constants and the tables
between them. A constant that is part of one already stored becomes a copy or gather of it; the tables
become copies of byte ranges that were seen before. Where that saves too little, the variant is stored
whole, ready to run in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from tfelastic_runtime import Stored
from tfelastic_runtime.delta import PER_ELEMENT, PER_ROW
from tfelastic_runtime.manifest import padded

from tflite_export.bundle import kernel_slices
from tflite_export.bundle.channel_factors import find_channel_factors
from tflite_export.bundle.delta import DeltaWriter, Gather
from tflite_export.bundle.match_finder import MatchFinder
from tflite_export.errors import ConversionError
from tflite_export.tflite import Buffer, buffers

SMALLEST_CONSTANT = 64
"""Constants of fewer bytes are looked for as bytes among the tables."""
LARGE_CONSTANT = 4096
"""Constants of as many bytes are kept out of the match search, which takes its time."""
LEAST_SAVING = 0.1
"""A variant is stored whole unless a delta saves this share of it."""
EXACT_ROWS = 0.75
"""The share of output channels that must come out exactly for factors to be used."""


@dataclass(frozen=True)
class Payload:
    """A bundle's payload.

    Attributes:
        data: Its bytes.
        stored: Where in it each variant lies.
        added: How many bytes each variant added, with its factors and the padding before it.
    """

    data: bytes
    stored: tuple[Stored, ...]
    added: tuple[int, ...]


def deduplicate(models: Sequence[bytes]) -> Payload:
    """Store variants, and what they share once.

    Args:
        models: The .tflite files, widest first. Bytes that are no .tflite are stored as well; only
            equal byte ranges are then found in them.
    """
    pool, stored, ends = _Pool(), [], [0]
    for model in models:
        stored.append(pool.store(model))
        ends.append(len(pool.payload))
    added = tuple(stop - start for start, stop in pairwise(ends))
    return Payload(bytes(pool.payload), tuple(stored), added)


@dataclass(frozen=True)
class _Constant:
    """A constant as `[rows, taps, columns]` of integers of its width, so that equal means equal bits."""

    at: int
    values: np.ndarray
    floats: bool

    @classmethod
    def of(cls, model: bytes, buffer: Buffer) -> _Constant:
        data = np.frombuffer(model, np.uint8)[buffer.offset :][: buffer.bytes]
        count = int(np.prod(buffer.shape, dtype=np.int64))
        if count and buffer.bytes in (count, 2 * count, 4 * count, 8 * count):
            values = data.view(f"<i{buffer.bytes // count}").reshape(buffer.shape)
            return cls(buffer.offset, kernel_slices.matrix(values), buffer.dtype == "float32")
        return cls(buffer.offset, kernel_slices.matrix(data), False)

    @property
    def stop(self) -> int:
        return self.at + self.values.nbytes


@dataclass
class _Draft:
    """A variant's delta and the factors before it; `added` lie in the delta, from its start."""

    delta: DeltaWriter
    factors: bytearray
    added: list[_Constant]


class _Pool:
    """The payload so far, and what can be found in it."""

    def __init__(self) -> None:
        self.payload = bytearray()
        self._constants: list[_Constant] = []
        self._exact: dict[bytes, int] = {}
        self._matches = MatchFinder(self.payload)

    def store(self, model: bytes) -> Stored:
        """Add a variant."""
        constants = _constants(model)
        # A variant larger than the payload may not be expanded from it: FORMAT.md bounds readers so.
        if len(model) <= len(self.payload):
            draft = self._draft(model, constants)
            delta = draft.delta.finish()
            if len(delta) + len(draft.factors) <= (1 - LEAST_SAVING) * len(model):
                self.payload += draft.factors
                self._add(delta, draft.added)
                return Stored("delta", len(self.payload) - len(delta), len(delta))
        self.payload += bytes(padded(len(self.payload)) - len(self.payload))
        self._add(model, constants)
        return Stored("whole", len(self.payload) - len(model), len(model))

    def _add(self, data: bytes, constants: Sequence[_Constant]) -> None:
        """Append bytes, and remember the constants in them and what lies between."""
        base = len(self.payload)
        self.payload += data
        at = 0
        for constant in constants:
            self._constants.append(replace(constant, at=base + constant.at))
            self._exact.setdefault(constant.values.tobytes(), base + constant.at)
            if constant.values.nbytes >= LARGE_CONSTANT:
                self._matches.learn(base + at, base + constant.at)
                at = constant.stop
        self._matches.learn(base + at, base + len(data))

    def _draft(self, model: bytes, constants: Sequence[_Constant]) -> _Draft:
        draft = _Draft(DeltaWriter(), bytearray(), [])
        at = 0
        for constant in constants:
            large = constant.values.nbytes >= LARGE_CONSTANT
            gathers = self._shared(constant)
            scaled = None if gathers or not constant.floats else self._scaled(constant)
            if not large and gathers is None and scaled is None:
                continue
            self._matches.write(model[at : constant.at], draft.delta)
            at = constant.stop
            if gathers is not None:
                for rows in gathers:
                    draft.delta.gather(rows)
            elif scaled is not None:
                scaled.write(draft, len(self.payload))
            else:
                start = draft.delta.add_constant(model[constant.at : at])
                draft.added.append(replace(constant, at=start))
        self._matches.write(model[at:], draft.delta)
        return draft

    def _shared(self, constant: _Constant) -> list[Gather] | None:
        """Return what reads a constant from one that is stored; None if it is in none."""
        values = constant.values
        if (at := self._exact.get(values.tobytes())) is not None:
            return [Gather(at, (), ((0, values.nbytes),))]
        wider = [
            other
            for other in self._constants
            if other.values.dtype == values.dtype
            and kernel_slices.fits(values.shape, other.values.shape)
        ]
        for find in (kernel_slices.find_leading, kernel_slices.find_scattered):
            for other in wider:
                part = find(values, other.values)
                if part is not None:
                    return kernel_slices.gathers(
                        part,
                        other.values.shape,
                        start=other.at,
                        item_bytes=values.dtype.itemsize,
                    )
        return None

    def _scaled(self, constant: _Constant) -> _Scaled | None:
        """Return how a float32 kernel is a stored one times factors; None if it is not."""
        for other in self._constants:
            if other.floats and kernel_slices.fits(constant.values.shape, other.values.shape):
                for part in kernel_slices.leading(constant.values.shape, other.values.shape):
                    found = _Scaled.find(constant, other, part)
                    if found is not None:
                        return found
        return None


@dataclass(frozen=True)
class _Scaled:
    """A float32 kernel that is another's slice times one factor per output channel.

    Attributes:
        values: The kernel, as bits.
        other: The kernel that is stored.
        part: Its rows and columns that the kernel is made of.
        kind: Whether a channel is a row or an element of one.
        factors: float32 `[channels]`.
        exact: bool `[channels]`: the others are written literally.
    """

    values: np.ndarray
    other: _Constant
    part: kernel_slices.KernelSlice
    kind: int
    factors: np.ndarray
    exact: np.ndarray

    @classmethod
    def find(
        cls, constant: _Constant, other: _Constant, part: kernel_slices.KernelSlice
    ) -> _Scaled | None:
        kind = PER_ROW if constant.values.shape[0] > 1 else PER_ELEMENT
        folded = _channels(constant.values, kind)
        if folded.shape[1] < 2:
            return None
        unfolded = _channels(part.of(other.values), kind)
        # Some channels nearly always show that a kernel is not this one.
        some = slice(0, len(folded), max(len(folded) // 4, 1))
        if not find_channel_factors(folded[some], unfolded[some])[1].any():
            return None
        factors, exact = find_channel_factors(folded, unfolded)
        least = 1 if kind == PER_ELEMENT else EXACT_ROWS
        if exact.mean() < least:
            return None
        return cls(constant.values, other, part, kind, factors, exact)

    def write(self, draft: _Draft, base: int) -> None:
        """Add the kernel's instructions and factors; these begin at `base` of the payload."""
        at = base + len(draft.factors)
        draft.factors += self.factors.astype("<f4").tobytes()
        if self.kind == PER_ELEMENT:
            self._gather(draft, self.part, at)
            return
        edges = np.flatnonzero(np.diff(self.exact)) + 1
        for first, stop in zip((0, *edges), (*edges, len(self.exact)), strict=True):
            if self.exact[first]:
                rows = replace(self.part, rows=((int(first), int(stop - first)),))
                self._gather(draft, rows, at + 4 * int(first))
            else:
                draft.delta.add(self.values[first:stop].tobytes())

    def _gather(self, draft: _Draft, part: kernel_slices.KernelSlice, factors: int) -> None:
        rows = kernel_slices.gathers(
            part, self.other.values.shape, start=self.other.at, item_bytes=4, kind=self.kind
        )
        for each in rows or ():
            draft.delta.gather(replace(each, factors=factors))


def _channels(values: np.ndarray, kind: int) -> np.ndarray:
    """Return a float32 kernel's bits as float32 `[channels, elements]`."""
    by_channel = values if kind == PER_ROW else np.moveaxis(values, -1, 0)
    return np.ascontiguousarray(by_channel.reshape(len(by_channel), -1)).view(np.float32)


def _constants(model: bytes) -> list[_Constant]:
    try:
        found = buffers(model)
    except ConversionError:
        return []
    kept, at = [], 0
    for buffer in found:
        if buffer.bytes >= SMALLEST_CONSTANT and buffer.offset >= at:
            kept.append(_Constant.of(model, buffer))
            at = kept[-1].stop
    return kept
