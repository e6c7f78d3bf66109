import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st

from tflite_export.errors import ConversionError
from tflite_export.runtimes import LiteModel
from tflite_export.tflite import BUFFER_ALIGNMENT, buffers, strip, summarize


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_a_summary_says_what_litert_says(converted, scheme):
    tflite = converted("residual", scheme)
    summary = summarize(tflite)
    interpreter = Interpreter(model_content=tflite)
    for told, details in (
        (summary.inputs, interpreter.get_input_details()),
        (summary.outputs, interpreter.get_output_details()),
    ):
        (tensor,), (detail,) = told, details
        assert tensor.name == detail["name"]
        assert tensor.shape == tuple(detail["shape"])
        assert tensor.dtype == np.dtype(detail["dtype"]).name
        assert (tensor.scale or 0, tensor.zero_point or 0) == detail["quantization"]
    assert (summary.subgraphs, summary.signatures) == (1, 1)
    assert {"CONV_2D", "FULLY_CONNECTED"} <= set(summary.operators)


def test_constants_are_counted_to_the_byte(converted, nets):
    kernels = sum(int(np.prod(w.shape)) for w in nets["flatten"].weights if len(w.shape) > 1)
    assert (
        4 * kernels < summarize(converted("flatten", "float32")).constant_bytes < 4 * kernels + 600
    )


@pytest.mark.parametrize("kind", ["residual", "flatten"])
def test_a_stripped_file_computes_the_same_and_holds_no_name(converted, images, kind):
    tflite = converted(kind)
    stripped = strip(tflite)
    for word in (b"serv", b"image", b"first", b"main", b"conver", b"runtime"):
        assert word not in stripped
    assert len(stripped) < len(tflite)
    assert strip(tflite) == stripped == strip(stripped)
    before, after = summarize(tflite), summarize(stripped)
    assert (after.operators, after.dtypes) == (before.operators, before.dtypes)
    assert {buffer.offset % BUFFER_ALIGNMENT for buffer in buffers(stripped)} == {0}
    whole, bare = LiteModel(tflite), LiteModel(stripped)
    for image in whole.encode([images[:20]])[0]:
        np.testing.assert_array_equal(whole.run([image]), bare.run([image]))


@given(st.binary(max_size=64))
def test_other_bytes_are_no_tflite_file(data):
    with pytest.raises(ConversionError, match="tflite"):
        summarize(data)


@pytest.mark.parametrize("length", [8, 16, 40, 100])
def test_a_file_cut_short_is_refused(converted, length):
    with pytest.raises(ConversionError, match="damaged"):
        summarize(converted("residual")[:length])
