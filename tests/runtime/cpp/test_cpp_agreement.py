"""C++ and Python agree on whatever else a bundle may hold: random, odd, damaged and hostile."""

import itertools
import json
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfelastic_runtime import (
    BundleError,
    InputError,
    InputSpec,
    Manifest,
    Policy,
    Row,
    ScoreSpec,
    TensorSpec,
)
from tfelastic_runtime.delta import expand
from tfelastic_runtime.encoding import Encoder, decode

from tests.support.bundles import bundles, tensors
from tests.support.golden import GOLDEN, SHARED, cases, manifest_text, resealed
from tests.support.questions import (
    BUNDLE,
    DECODING,
    NUMBER,
    PIXELS,
    REALS,
    SCORE,
    Ask,
    PolicyStep,
    answer_of_python,
    answered_by_policy,
    asked_of_policy,
    comparable,
    delta,
    head_of,
    manifest_of,
)
from tflite_export.bundle.deduplication import Payload
from tflite_export.bundle.writer import pack

DELTAS = cases("deltas")
POOL = bytes.fromhex(DELTAS["payload"])
TEXT = manifest_text()


@settings(max_examples=60)
@given(bundles())
def test_any_bundle_is_read_as_in_python(
    ask_sanitized: Ask, bundle: tuple[Manifest, Payload, list[bytes]]
) -> None:
    data = pack(*bundle[:2])
    (answer,) = ask_sanitized([(BUNDLE, data, b"")])
    assert comparable(answer) == answer_of_python(data) is not None


@settings(max_examples=200)
@given(
    tensors(1).map(lambda found: found[0]), st.lists(st.floats(width=32), min_size=1, max_size=50)
)
def test_any_values_are_encoded_as_in_python(
    ask_sanitized: Ask, tensor: TensorSpec, values: list[float]
) -> None:
    given_values = np.array(values, "<f4")
    (answer,) = ask_sanitized([(REALS, head_of(tensor.to_json()), given_values.tobytes())])
    try:
        stored = Encoder(InputSpec("x", (1, len(values))), tensor).encode(given_values)
    except InputError:
        assert "finite" in answer
    else:
        assert bytes.fromhex(answer) == stored.tobytes()


@given(tensors(1).map(lambda found: found[0]), st.binary(min_size=4, max_size=200))
def test_any_pixels_are_encoded_and_bytes_decoded_as_in_python(
    ask_sanitized: Ask, tensor: TensorSpec, data: bytes
) -> None:
    head, stored = head_of(tensor.to_json()), data[: len(data) // 4 * 4]
    pixels, reals = ask_sanitized([(PIXELS, head, data), (DECODING, head, stored)])
    image = np.frombuffer(data, np.uint8).reshape(1, -1, 1)
    encoder = Encoder(InputSpec("x", (1, *image.shape), "image"), tensor)
    assert bytes.fromhex(pixels) == encoder.encode(image).tobytes()
    expected = decode(np.frombuffer(stored, tensor.dtype)[np.newaxis], tensor)
    # What bits a NaN has is the hardware's affair only where something is computed.
    assert bytes.fromhex(reals) == expected.tobytes()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=50))
def test_score_orders_are_those_of_python_and_of_the_scores(
    ask_sanitized: Ask, scores: list[float]
) -> None:
    answers = ask_sanitized((SCORE, struct.pack("<d", score), b"") for score in scores)
    found = [tuple(map(int, answer.split())) for answer in answers]
    higher, lower = ScoreSpec("m"), ScoreSpec("m", higher_is_better=False)
    assert found == [(higher.order(score), lower.order(score)) for score in scores]
    for one, other in itertools.pairwise(sorted(zip(scores, found, strict=True))):
        assert one[1][0] <= other[1][0]
        assert one[1][1] >= other[1][1]


def test_flipped_truncated_and_grown_bundles_are_refused(ask_sanitized: Ask) -> None:
    rng = random.Random(0)
    damaged = [GOLDEN[:size] for size in rng.sample(range(len(GOLDEN)), 100)]
    damaged += [GOLDEN + rng.randbytes(count) for count in (1, 16, 100)]
    for offset in rng.sample(range(len(GOLDEN)), 200):
        flipped = bytearray(GOLDEN)
        flipped[offset] ^= 1 << rng.randrange(8)
        damaged.append(bytes(flipped))
    for _ in range(50):
        first, second = sorted(rng.sample(range(len(GOLDEN) - 16), 2))
        blocks = GOLDEN[first : first + 16], GOLDEN[second : second + 16]
        if second - first >= 16 and blocks[0] != blocks[1]:
            swapped = bytearray(GOLDEN)
            swapped[first : first + 16], swapped[second : second + 16] = reversed(blocks)
            damaged.append(bytes(swapped))
    for answer in ask_sanitized((BUNDLE, data, b"") for data in damaged):
        assert not answer.startswith("ok")


def test_resealed_damage_is_judged_as_in_python(ask_sanitized: Ask) -> None:
    """Whoever attacks reseals: then manifest and deltas stand alone."""
    rng = random.Random(1)
    payload, damaged = 24 + struct.unpack_from("<I", GOLDEN, 12)[0], []
    for _ in range(200):
        offset = rng.randrange(24, payload)
        written = rng.choice(
            (rng.randbytes(1), rng.choice(b'0123456789-+.eE"{}[],: \\u/').to_bytes())
        )
        damaged.append(resealed(GOLDEN[:offset] + written + GOLDEN[offset + 1 :]))
    # Deltas lie at the payload's end; the bundle opens, and its variants are judged.
    for _ in range(100):
        offset = len(SHARED) - rng.randrange(33, 5000)
        damaged.append(resealed(SHARED[:offset] + rng.randbytes(1) + SHARED[offset + 1 :]))
    answers = ask_sanitized((BUNDLE, data, b"") for data in damaged)
    judged = [answer_of_python(data) for data in damaged]
    assert [comparable(answer) for answer in answers] == judged
    assert 50 < judged.count(None) < len(judged) - 50


def test_random_deltas_are_judged_as_in_python(ask_sanitized: Ask) -> None:
    rng, questions = random.Random(2), []
    honest = [bytes.fromhex(case["delta"]) for case in DELTAS["expanded"]]
    sizes = [len(case["output"]) // 2 for case in DELTAS["expanded"]]
    for _ in range(600):
        which = rng.randrange(len(honest))
        data = bytearray(honest[which])
        for _ in range(rng.randrange(1, 3)):
            data[rng.randrange(len(data))] = rng.choice((rng.randrange(256), rng.randrange(8)))
        questions.append((bytes(data), sizes[which]))
    answers = ask_sanitized(delta(data, POOL, size) for data, size in questions)
    expanded = 0
    for (data, size), answer in zip(questions, answers, strict=True):
        try:
            expected = expand(memoryview(data), memoryview(POOL), size=size)
        except BundleError:
            assert "delta" in answer
            assert not answer.startswith("ok")
        else:
            expanded += 1
            assert answer == f"ok {expected.hex()}"
    assert 50 < expanded < 550


def test_other_spellings_of_a_manifest_are_read_as_in_python(ask_sanitized: Ask) -> None:
    text = TEXT
    edits = [
        (b"", b""),
        (b'"name":"w100"', b'"n\\u0061me" :\n\t"\\u0077100"'),
        (b'"golden"', '"\U0001f600 \\ud83d\\ude00 \\" \\\\ \\/ \\b"'.encode()),
        (b'"golden"', b'"' + 200 * "\U0001f600".encode() + b'"'),
        (b'"golden"', b'"' + 201 * "\U0001f600".encode() + b'"'),
        (b'"golden"', b'"\xed\xa0\x80"'),
        (b'"golden"', b'"\xc0\x80"'),
        (b'"golden"', b'"\xf4\x90\x80\x80"'),
        (b'"golden"', b'"\t"'),
        (b'"golden"', b'"\\x"'),
        (b'"golden"', b'"\\u12g4"'),
        (b'"golden"', b'""'),
        (b'"width":1.0', b'"width":1'),
        (b'"width":0.5', b'"width":5E-1'),
        (b'"width":0.5', b'"width":05e-1'),
        (b'"width":0.5', b'"width":.5'),
        (b'"width":0.5', b'"width":0.'),
        (b'"width":0.5', b'"width":+0.5'),
        (b'"macs":1752', b'"macs":9007199254740991'),
        (b'"macs":1752', b'"macs":9007199254740992'),
        (b'"macs":1752', b'"macs":-0'),
        (b'"macs":1752', b'"macs":1752.0'),
        (b'"macs":1752', b'"macs":1e3'),
        (b'"p50_us":40,', b'"p50_us":39.5,"more":{"of":[1e999,true,null,"\\u0000"]},'),
        (b'"p50_us":40,', b'"p50_us":40,"p50_us":40,'),
        (b'"p50_us":40,', b'"p50_us":40,"x":{"a":1,"\\u0061":1},'),
        (b'"p50_us":40,', b'"p50_us":2147483647.5,'),
        (b'"cores":2', b'"cores":null'),
        (b'"cores":2', b'"cores":"two"'),
        (b'"labels":["kitten","M\xc3\xb6we","\xe7\x8a\xac"]', b'"labels":null'),
        (b'"format":3', b' \r\n"format" : 3 '),
    ]
    texts = [text.replace(old, new, 1) for old, new in edits]
    texts += [text + b" \n", text + b"x", b"\xef\xbb\xbf" + text, text[:-1], text[:-1] + b",}"]
    data = [manifest_of(each) for each in texts]
    answers = ask_sanitized((BUNDLE, each, b"") for each in data)
    judged = [answer_of_python(each) for each in data]
    assert [comparable(answer) for answer in answers] == judged
    assert 12 < judged.count(None) < len(judged) - 10


def test_what_would_take_endless_time_or_stack_is_refused(ask_sanitized: Ask) -> None:
    texts = [b"[" * 100_000, b'{"format":' * 50_000, b"9" * 10_000, b'{"a":0' + b"," * 1_000_000]
    keys = b"".join(b'"%d":0,' % number for number in range(100_000))
    texts += [b"{" + keys + b'"format":3}', b" " * (1 << 20) + b"{}"]
    for answer in ask_sanitized((BUNDLE, manifest_of(text), b"") for text in texts):
        # For what the manifest says, and not because the test damaged the bundle.
        assert "checksum" not in answer
        assert not answer.startswith("ok")


def nested(levels: int) -> bytes:
    """A profile's ignored field with so many arrays in each other."""
    return b"[" * levels + b"]" * levels


def with_extra(value: bytes) -> bytes:
    """The golden manifest with a field that readers ignore: in an object, in an array, in three objects."""
    return TEXT.replace(b'"p50_us":40,', b'"p50_us":40,"extra":' + value + b",", 1)


def many_keys(count: int) -> bytes:
    return b"{" + b",".join(b'"k%d":0' % index for index in range(count)) + b"}"


def copies(count: int) -> bytes:
    """The golden manifest with so many variants, and without its profile."""
    manifest = json.loads(TEXT)
    first, manifest["profiles"] = manifest["variants"][0], []
    manifest["variants"] = [{**first, "name": f"v{index}"} for index in range(count)]
    return json.dumps(manifest).encode()


def outputs(count: int) -> bytes:
    """The golden manifest with so many outputs."""
    manifest = json.loads(TEXT)
    output = manifest["outputs"][0]
    manifest["outputs"] = [{**output, "name": f"o{index}"} for index in range(count)]
    for variant in manifest["variants"]:
        tensor = variant["outputs"][0]
        variant["outputs"] = [{**tensor, "position": index} for index in range(count)]
    return json.dumps(manifest).encode()


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        # Around the field lie the manifest, its profiles, one of them, its latencies, and one of them.
        (with_extra(nested(24 - 5)), with_extra(nested(24 - 4))),
        # Read before it: "profiles" and 6 keys, "latencies" and 1, "w100" and 2, "extra" and 1.
        (with_extra(many_keys(512 - 14)), with_extra(many_keys(512 - 13))),
        (copies(64), copies(65)),
        (outputs(16), outputs(17)),
        (TEXT + b" " * (2**20 - len(TEXT)), TEXT + b" " * (2**20 - len(TEXT) + 1)),
    ],
    ids=["depth", "keys", "variants", "tensors", "bytes"],
)
def test_limits_are_the_same_in_python(ask_sanitized: Ask, within: bytes, beyond: bytes) -> None:
    opened, refused = (manifest_of(text) for text in (within, beyond))
    answers = ask_sanitized([(BUNDLE, opened, b""), (BUNDLE, refused, b"")])
    assert comparable(answers[0]) == answer_of_python(opened) is not None
    assert comparable(answers[1]) is answer_of_python(refused) is None


NUMBERS_ODD = (
    *("0", "-0", "-0.0", "0.5", "1", "1.0", "1e0", "1E+0", "10e-1", "0.1e1", "5e-324", "2e-324"),
    *("1.7976931348623157e308", "1.7976931348623159e308", "-1.8e308", "1e309", "1e99999999999"),
    *("1e-99999999999", "0e99999999999", "-1e-400", str(2**127), str(2**127 + 1), str(2**127 - 1)),
    *("1.7014118346046923e38", "1.7014118346046924e38", str(2**53 - 1), str(2**53), str(2**63)),
    *("1.1754943508222875e-38", "1.1754943508222874e-38", "1.17549435082228749e-38", "255", "-128"),
    *(
        "1" + "0" * 308,
        "1" + "0" * 309,
        "1" + "0" * 4299,
        "1" + "0" * 4300,
        "9" * 5000,
        "-" + "9" * 5000,
    ),
    *("0." + "0" * 5000 + "1", "1." + "0" * 5000 + "1", "2147483647", "2147483648", "4294967297"),
    *(
        "9007199254740993",
        "18446744073709551616",
        "00",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "0x1",
        "NaN",
    ),
    *("Infinity", "-Infinity", "1_0", "true", "null", '"1"', "[1]", "1 2", "1,2"),
)
PLACES = (
    *(b'"width":1.0', b'"score":0.875', b'"accuracy_keras":0.9', b'"scale":0.003677677595987916'),
    *(b'"zero_point":37', b'"position":0', b'"macs":1752', b'"p50_us":40', b'"threads":1'),
    *(b'"cores":2', b'"payload_bytes":3720', b'"runs":200', b'"arena_bytes":2048', b'"format":3'),
)


@pytest.mark.parametrize(
    "place", PLACES, ids=lambda place: place.split(b":")[0].decode().strip('"')
)
def test_odd_numbers_are_judged_as_in_python(ask_sanitized: Ask, place: bytes) -> None:
    key = place.split(b":")[0]
    assert place in TEXT
    data = [manifest_of(TEXT.replace(place, key + b":" + text.encode(), 1)) for text in NUMBERS_ODD]
    data += [manifest_of(with_extra(text.encode())) for text in NUMBERS_ODD]
    judged = [answer_of_python(each) for each in data]
    answers = ask_sanitized((BUNDLE, each, b"") for each in data)
    for text, answer, expected in zip(2 * NUMBERS_ODD, answers, judged, strict=True):
        assert comparable(answer) == expected, text[:60]
    assert 0 < judged.count(None) < len(judged)


def test_control_characters_are_refused_as_in_python(ask_sanitized: Ask) -> None:
    data = []
    for code in (*range(0x20), *range(0x7E, 0xA2), 0x2028, 0x202E, 0xFEFF, 0x1F600):
        for place in (b'"golden"', b'"kitten"', b'"output_0"', b'"imaginary"', b'"conv2d"'):
            text = json.dumps(f"a{chr(code)}b").encode()
            data.append(manifest_of(TEXT.replace(place, text, 1)))
    judged = [answer_of_python(each) for each in data]
    answers = ask_sanitized((BUNDLE, each, b"") for each in data)
    assert [comparable(answer) for answer in answers] == judged
    assert judged.count(None) == 5 * (0x20 + 0x21)


def test_numbers_are_read_as_in_python(ask_sanitized: Ask) -> None:
    rng = random.Random(3)
    texts = ["0", "-0", "0.0", "1", "0.1", "1e-400", "5e-324", "2.4703282292062327e-324", "1e308"]
    texts += ["2.4703282292062328e-324", "2.2250738585072011e-308", "1.7976931348623159e308"]
    # Halfway between two doubles, and a digit beyond; then with more digits than are kept.
    texts += [
        "9007199254740993",
        "9007199254740995",
        "9007199254740993.0000000001",
        f"9007199254740993.{'0' * 900}1",
    ]
    texts += [f"0.{'0' * 300}{'9' * 900}", "1" + "0" * 400, "1e99999999999", "1e-99999999999"]
    for _ in range(300):
        bits = rng.getrandbits(rng.choice((52, 63)))
        texts.append(repr(struct.unpack("<d", bits.to_bytes(8, "little"))[0]))
        digits = rng.randrange(1, 40)
        texts.append(f"{rng.randrange(1, 10**digits)}e{rng.randrange(-340, 310)}")
    texts = [text for text in texts if text not in ("nan", "inf")]
    for text, answer in zip(
        texts, ask_sanitized((NUMBER, text.encode(), b"") for text in texts), strict=True
    ):
        assert answer == f"{float(text):.17g}", text


def random_policy(rng: random.Random) -> tuple[list[Row], list[PolicyStep]]:
    """Draw a table, budgets near its latencies, runs with loads and stalls, and rows that leave."""
    scale = rng.choice((20, 5_000, 1 << 26))
    table = []
    for _ in range(rng.randrange(1, 6)):
        p50_us = rng.randrange(1, scale)
        p90_us = p50_us + rng.randrange(1 + p50_us // rng.choice((2, 10, 100)))
        table.append(
            Row(rng.randrange(8), p50_us, p90_us, rng.choice((0, 0, rng.randrange(scale))))
        )
    steps: list[PolicyStep] = []
    slowdown, left = 1.0, len(table)
    for _ in range(400):
        if rng.random() < 0.03:
            slowdown = rng.choice((0.5, 1.0, 1.0, 1.7, 3.0, 70.0))
        stall = rng.choice((2, 9)) if rng.random() < 0.03 else 1
        took = slowdown * stall * rng.lognormvariate(0, 0.06) * rng.choice(table).p50_us
        removed = rng.randrange(left) if left > 1 and rng.random() < 0.01 else None
        left -= removed is not None
        steps.append((rng.randrange(1, 3 * scale), round(took), removed))
    return table, steps


def test_policy_agrees_with_python_to_the_last_bit(ask_sanitized: Ask) -> None:
    rng = random.Random(5)
    drawn = [random_policy(rng) for _ in range(60)]
    answers = ask_sanitized(asked_of_policy(table, steps) for table, steps in drawn)
    for (table, steps), answer in zip(drawn, answers, strict=True):
        policy, expected = Policy(table), []
        for budget_us, observed_us, removed in steps:
            if removed is not None:
                policy.remove(removed)
            choice = policy.choose(budget_us)
            policy.observe(observed_us)
            state = policy.slowdown
            expected.append([choice.index, choice.predicted_us, choice.feasible])
            expected[-1] += [state.q16, state.spread_q16]
        assert answered_by_policy(answer) == expected


def test_what_a_measured_table_says_besides_is_checked_as_in_python(ask_sanitized: Ask) -> None:
    row, table = b'"p90_us":44', b'"threads":1'
    right = [
        *((row, b'"p99_us":44,"first_us":90'), (row, b'"switch_us":0,"peak_rss_bytes":null')),
        *((table, b'"format":1,"runtime":"LiteRT","kernels":null'), (row, b'"more":{}')),
        (table, b'"bundle_sha256":"' + b"0f" * 32 + b'"'),
    ]
    wrong = [
        *((row, b'"p99_us":43'), (row, b'"first_us":0'), (row, b'"switch_us":-1')),
        *((row, b'"switch_us":1.5'), (row, b'"peak_rss_bytes":0'), (row, b'"p99_us":"44"')),
        *((table, b'"format":2'), (table, b'"format":null'), (table, b'"runtime":3')),
        *((table, b'"kernels":""'), (table, b'"bundle_sha256":"0f"')),
    ]
    data = [manifest_of(TEXT.replace(key, key + b"," + added, 1)) for key, added in right + wrong]
    answers = ask_sanitized((BUNDLE, bundle, b"") for bundle in data)
    for index, (bundle, answer) in enumerate(zip(data, answers, strict=True)):
        expected = answer_of_python(bundle)
        assert comparable(answer) == expected, (right + wrong)[index]
        assert (expected is not None) == (index < len(right)), (right + wrong)[index]
