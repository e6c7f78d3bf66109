"""C++ passes the cases that all languages must pass."""

import hashlib
import math
import random
import struct

import numpy as np
from tfelastic_runtime import Row

from tests.support.cpp_questions import (
    ACCESS,
    BUNDLE,
    DECODING,
    DIGEST,
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
from tests.support.golden import BUNDLES, SHARED, cases, edited
from tflite_export.bundle.delta import number

CASES, DELTAS, POLICY, NUMBERS = map(cases, ("bundle", "deltas", "policy", "numbers"))
POOL = bytes.fromhex(DELTAS["payload"])


def test_every_delta_writes_what_it_must(ask: Ask) -> None:
    cases = DELTAS["expanded"]
    answers = ask(
        delta(bytes.fromhex(case["delta"]), POOL, len(case["output"]) // 2) for case in cases
    )
    for case, answer in zip(cases, answers, strict=True):
        assert answer == f"ok {case['output']}", case["name"]


def test_every_malformed_delta_is_refused(ask_sanitized: Ask) -> None:
    cases = DELTAS["refused"]
    answers = ask_sanitized(
        delta(bytes.fromhex(case["delta"]), POOL, case["bytes"]) for case in cases
    )
    for case, answer in zip(cases, answers, strict=True):
        assert answer == "the variant's delta is malformed", case["name"]


def test_steps_whose_product_wraps_around_to_what_fits_are_refused(ask_sanitized: Ask) -> None:
    counts, run = ((1 << 32) - 1, 4070299789, 2266017850), 2
    written = math.prod(counts) * run % (1 << 64)
    assert written == 28
    loops = b"".join(number(count) + number(0) for count in counts)
    data = bytes((3, 0, 3)) + loops + bytes((1, 0, run))
    (answer,) = ask_sanitized([delta(data, POOL, written)])
    assert answer == "the variant's delta is malformed"


def test_bundles_open_as_in_python(ask: Ask) -> None:
    answers = ask((BUNDLE, data, b"") for data in BUNDLES.values())
    for data, answer in zip(BUNDLES.values(), answers, strict=True):
        assert comparable(answer) == answer_of_python(data) is not None


def test_every_edited_bundle_is_refused(ask_sanitized: Ask) -> None:
    edits = CASES["refused"]
    answers = ask_sanitized((BUNDLE, edited(edit), b"") for edit in edits)
    for edit, answer in zip(edits, answers, strict=True):
        if "model" in edit:
            (variant,) = (
                part for part in answer.split("\t") if part.startswith(edit["model"] + " ")
            )
            assert variant.endswith(" | "), edit["name"]
        else:
            assert not answer.startswith("ok"), edit["name"]


def test_refusals_tell_why(ask: Ask) -> None:
    reasons = {
        "text, not a bundle": "not a tfelastic bundle",
        "newer container": "a container version that this reader does not know",
        "last byte missing": "the file is shorter or longer than its header states",
        "a flipped bit in the payload": "damaged: the checksum does not match",
        "newer manifest": "a manifest format that this reader does not know",
        "NaN": "the manifest breaks a rule of the format",
    }
    edits = [edit for edit in CASES["refused"] if edit["name"] in reasons]
    assert len(edits) == len(reasons)
    answers = ask((BUNDLE, edited(edit), b"") for edit in edits)
    for edit, answer in zip(edits, answers, strict=True):
        assert answer.startswith(reasons[edit["name"]]), edit["name"]


def test_variants_in_place_and_refusals_of_access(ask_sanitized: Ask) -> None:
    whole, delta_ = ask_sanitized([(ACCESS, SHARED, b"w100\0"), (ACCESS, SHARED, b"w050\0")])
    refusals = "it does not fit into the buffer\tno such variant\tno such variant\t"
    elsewhere = "the variant cannot be used in place: expand it into a buffer -1\t" + refusals
    assert whole == "ok 7280\t" + refusals + elsewhere
    assert delta_ == elsewhere + elsewhere


def test_digests(ask_sanitized: Ask) -> None:
    rng = random.Random(4)
    data = [rng.randbytes(size) for size in (*range(130), 1000, 100_000)]
    answers = ask_sanitized((DIGEST, each, b"") for each in data)
    assert answers == [hashlib.sha256(each).hexdigest() for each in data]


def test_policy(ask_sanitized: Ask) -> None:
    keys = ("index", "predicted_us", "feasible", "slowdown_q16", "spread_q16")
    questions = [
        asked_of_policy(
            [Row(**row) for row in case["table"]],
            [(step["budget_us"], step["observed_us"]) for step in case["steps"]],
        )
        for case in POLICY["cases"]
    ]
    for case, answer in zip(POLICY["cases"], ask_sanitized(questions), strict=True):
        expected = [[int(step[key]) for key in keys] for step in case["steps"]]
        assert answered_by_policy(answer) == expected, case["name"]


def test_encoding(ask_sanitized: Ask) -> None:
    cases = NUMBERS["encode"]
    answers = ask_sanitized(
        (PIXELS, head_of(case), bytes(case["given"]))
        if case["kind"] == "image"
        else (REALS, head_of(case), np.array(case["given"], "<f4").tobytes())
        for case in cases
    )
    for case, answer in zip(cases, answers, strict=True):
        assert bytes.fromhex(answer) == np.array(case["stored"], case["dtype"]).tobytes(), case


def test_numbers_that_are_not_finite_are_refused(ask_sanitized: Ask) -> None:
    cases = NUMBERS["refused"]
    answers = ask_sanitized(
        (REALS, head_of(case), bytes.fromhex(case["float32"])[::-1]) for case in cases
    )
    assert answers == ["an input value is not finite"] * len(cases)


def test_decoding(ask_sanitized: Ask) -> None:
    cases = NUMBERS["decode"]
    answers = ask_sanitized(
        (DECODING, head_of(case), np.array(case["stored"], case["dtype"]).tobytes())
        for case in cases
    )
    assert [bytes.fromhex(answer)[::-1].hex() for answer in answers] == [
        case["float32"] for case in cases
    ]


def test_percentiles(ask_sanitized: Ask) -> None:
    cases = NUMBERS["percentiles"]
    answers = ask_sanitized((LATENCIES, integers(case["latencies_us"]), b"") for case in cases)
    assert answers == [f"{case['p50_us']} {case['p90_us']}" for case in cases]


def test_score_orders(ask_sanitized: Ask) -> None:
    cases = NUMBERS["score_order"]
    answers = ask_sanitized((SCORE, struct.pack("<d", case["score"]), b"") for case in cases)
    assert answers == [f"{case['higher_is_better']} {case['lower_is_better']}" for case in cases]
