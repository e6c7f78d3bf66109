"""C++ passes the cases that all languages must pass."""

import hashlib
import random

import pytest

from tests.support.conformance import Conformance
from tests.support.golden import SHARED, cases, edited
from tests.support.questions import ACCESS, BUNDLE, DIGEST, Ask

CASES = cases("bundle")


class TestShipped(Conformance):
    """Every case, asked of the library as it is shipped."""


class TestSanitized(Conformance):
    """Every case, where any undefined behaviour, or a byte read beyond a range, ends the driver."""

    @pytest.fixture
    def ask(self, ask_sanitized: Ask) -> Ask:
        return ask_sanitized


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
