"""The cases that all languages must pass (`runtime/SPEC.md`, section 5), asked of a compiled library.

A case that is added to `runtime/conformance` is tested in every language, with no line changed here.
"""

import math
import struct

import numpy as np
from tfelastic_runtime import Row

from tests.support.golden import BUNDLES, cases, edited
from tests.support.questions import (
    BUNDLE,
    DECODING,
    LATENCIES,
    PIXELS,
    REALS,
    SCORE,
    Ask,
    answer_of_python,
    answered_by_policy,
    asked_of_policy,
    comparable,
    delta,
    head_of,
    integers,
)
from tflite_export.bundle.delta import number

_BUNDLES, _DELTAS, _POLICY, _NUMBERS = map(cases, ("bundle", "deltas", "policy", "numbers"))
_POOL = bytes.fromhex(_DELTAS["payload"])


class Conformance:
    """Every case; a language's tests inherit them and provide the fixture `ask`."""

    def test_every_delta_writes_what_it_must(self, ask: Ask) -> None:
        found = _DELTAS["expanded"]
        answers = ask(
            delta(bytes.fromhex(case["delta"]), _POOL, len(case["output"]) // 2) for case in found
        )
        for case, answer in zip(found, answers, strict=True):
            assert answer == f"ok {case['output']}", case["name"]

    def test_every_malformed_delta_is_refused(self, ask: Ask) -> None:
        found = _DELTAS["refused"]
        answers = ask(delta(bytes.fromhex(case["delta"]), _POOL, case["bytes"]) for case in found)
        for case, answer in zip(found, answers, strict=True):
            assert "delta" in answer, case["name"]
            assert not answer.startswith("ok"), case["name"]

    def test_steps_whose_product_wraps_around_to_what_fits_are_refused(self, ask: Ask) -> None:
        counts, run = ((1 << 32) - 1, 4070299789, 2266017850), 2
        written = math.prod(counts) * run % (1 << 64)
        assert written == 28
        loops = b"".join(number(count) + number(0) for count in counts)
        (answer,) = ask([delta(bytes((3, 0, 3)) + loops + bytes((1, 0, run)), _POOL, written)])
        assert "delta" in answer
        assert not answer.startswith("ok")

    def test_bundles_open_as_in_python(self, ask: Ask) -> None:
        answers = ask((BUNDLE, data, b"") for data in BUNDLES.values())
        for data, answer in zip(BUNDLES.values(), answers, strict=True):
            assert comparable(answer) == answer_of_python(data) is not None

    def test_every_edited_bundle_is_refused(self, ask: Ask) -> None:
        edits = _BUNDLES["refused"]
        answers = ask((BUNDLE, edited(edit), b"") for edit in edits)
        for edit, answer in zip(edits, answers, strict=True):
            if "model" in edit:
                (variant,) = (
                    part for part in answer.split("\t") if part.startswith(edit["model"] + " ")
                )
                assert variant.endswith(" | "), edit["name"]
            else:
                assert not answer.startswith("ok"), edit["name"]

    def test_policy(self, ask: Ask) -> None:
        keys = ("index", "predicted_us", "feasible", "slowdown_q16", "spread_q16")
        questions = [
            asked_of_policy(
                [Row(**row) for row in case["table"]],
                [
                    (step["budget_us"], step["observed_us"], step.get("removed"))
                    for step in case["steps"]
                ],
            )
            for case in _POLICY["cases"]
        ]
        for case, answer in zip(_POLICY["cases"], ask(questions), strict=True):
            expected = [[int(step[key]) for key in keys] for step in case["steps"]]
            assert answered_by_policy(answer) == expected, case["name"]

    def test_encoding(self, ask: Ask) -> None:
        found = _NUMBERS["encode"]
        answers = ask(
            (PIXELS, head_of(case), bytes(case["given"]))
            if case["kind"] == "image"
            else (REALS, head_of(case), np.array(case["given"], "<f4").tobytes())
            for case in found
        )
        for case, answer in zip(found, answers, strict=True):
            assert bytes.fromhex(answer) == np.array(case["stored"], case["dtype"]).tobytes(), case

    def test_numbers_that_are_not_finite_are_refused(self, ask: Ask) -> None:
        answers = ask(
            (REALS, head_of(case), bytes.fromhex(case["float32"])[::-1])
            for case in _NUMBERS["refused"]
        )
        assert all("finite" in answer for answer in answers)

    def test_decoding(self, ask: Ask) -> None:
        found = _NUMBERS["decode"]
        answers = ask(
            (DECODING, head_of(case), np.array(case["stored"], case["dtype"]).tobytes())
            for case in found
        )
        assert [bytes.fromhex(answer)[::-1].hex() for answer in answers] == [
            case["float32"] for case in found
        ]

    def test_percentiles(self, ask: Ask) -> None:
        found = _NUMBERS["percentiles"]
        answers = ask((LATENCIES, integers(case["latencies_us"]), b"") for case in found)
        assert answers == [f"{case['p50_us']} {case['p90_us']}" for case in found]

    def test_score_orders(self, ask: Ask) -> None:
        found = _NUMBERS["score_order"]
        answers = ask((SCORE, struct.pack("<d", case["score"]), b"") for case in found)
        assert answers == [
            f"{case['higher_is_better']} {case['lower_is_better']}" for case in found
        ]
