"""What a reader of bundles holds (`runtime/SPEC.md`, section 1).

The limits bound the memory and the time that a hostile file can cost. They are the same in every
language, so that a bundle that opens here opens on a microcontroller as well.
"""

MANIFEST_BYTES_MAX = 1 << 20
VARIANTS_MAX = 64
TENSORS_MAX = 16
"""Inputs of a network, and outputs."""
DEPTH_MAX = 24
"""Objects and arrays within each other."""
KEYS_MAX = 512
"""Keys of an object and of those around it."""
UNPACKED_RATIO_MAX = 16
"""`Bundle.unpack` writes at most this many times the payload's size, unless it is given a limit."""
