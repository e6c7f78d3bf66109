"""What the tests of strategies share: the models that the laws are tried on."""

import sys
from pathlib import Path

# Test folders are no packages, so the generator needs a place on the path.
sys.path.insert(0, str(Path(__file__).parents[2] / "laws"))
