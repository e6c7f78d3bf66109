"""How a network's numbers become integers, and what the exporter needs to see of the result.

`scheme` says what there is to choose, as data; `calibration` draws the samples that set the ranges;
`ptq` carries a scheme out on the converter. `flatbuffer` and `litert` are the only doors to
TFLite's schema and interpreter, and `quiet` keeps both tools from chattering.
"""
