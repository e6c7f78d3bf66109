"""The scripts behind every published figure: `python -m benchmarks.NAME`, from the root of the checkout."""
