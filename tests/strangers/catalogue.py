"""All architectures, in the order of the table."""

from tests.strangers import branching, dense_prediction, mobile, tiny  # noqa: F401 - they fill the table.
from tests.strangers.architecture import ARCHITECTURES, Architecture

__all__ = ["ARCHITECTURES", "Architecture"]
