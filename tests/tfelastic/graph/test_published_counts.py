"""Parameters and multiply-accumulate operations against what was published.

Parameters are those of Keras' own table of applications, to the last one. The papers round MACs, which most of
them call FLOPs; the exact count is given here beside the paper's figure, and must lie within 2 % of it.
"""

import pytest

import tfelastic as te
from benchmarks.applications import without_weights

# net: parameters, exact MACs, the paper's figure, and where it stands.
PUBLISHED = {
    "ResNet50": (25_636_712, 3_857_973_248, 3.8e9, "He et al., arXiv 1512.03385, table 1"),
    "ResNet101": (44_707_176, 7_570_194_432, 7.6e9, "He et al., arXiv 1512.03385, table 1"),
    "VGG16": (138_357_544, 15_470_264_320, 15.3e9, "He et al., arXiv 1512.03385, section 4.1"),
    "VGG19": (143_667_240, 19_632_062_464, 19.6e9, "He et al., arXiv 1512.03385, section 4.1"),
    "MobileNet": (4_253_864, 568_740_352, 569e6, "Howard et al., arXiv 1704.04861, table 4"),
    "MobileNetV2": (3_538_984, 300_774_272, 300e6, "Sandler et al., arXiv 1801.04381, table 4"),
    "MobileNetV3Small": (2_554_968, 56_510_400, 56e6, "Howard et al., arXiv 1905.02244, table 3"),
    "NASNetMobile": (5_326_716, 563_638_816, 564e6, "Zoph et al., arXiv 1707.07012, table 3"),
    "EfficientNetB0": (5_330_571, 385_814_752, 0.39e9, "Tan and Le, arXiv 1905.11946, table 2"),
    "ConvNeXtTiny": (28_589_128, 4_455_531_264, 4.5e9, "Liu et al., arXiv 2201.03545, table 1"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_the_published_ones(name: str) -> None:
    params, macs, paper, _ = PUBLISHED[name]
    cost = te.cost(without_weights(name, 224))
    assert (cost.params, cost.macs) == (params, macs)
    assert cost.macs == pytest.approx(paper, rel=0.02)
