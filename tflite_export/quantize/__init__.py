"""How a network's numbers become integers.

`scheme` says what there is to choose, as data; `calibration` draws the samples that set the ranges;
`post_training` carries a scheme out on the converter, `qat` trains one network for int8, and `elastic_qat` all rungs of
an elastic one. `kernel_sharing` gives a narrow variant the widest one's kernels.
"""
