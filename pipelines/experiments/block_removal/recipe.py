"""The recipe of a removal of residual blocks."""

from dataclasses import dataclass, field
from typing import Literal

from pipelines.recipe import Augmentation, Limits, Recipe, Training, idle_without_bundle
from pipelines.records import Record, require, require_whole


@dataclass(frozen=True)
class FineTuning(Record):
    """The fine-tuning after each removed block, at a constant learning rate.

    Every step takes `images` others, or all where that is null. With `distillation` the net learns from the
    baseline's outputs beside the labels.
    """

    images: int | None = None
    epochs: int = 1
    batch_size: int = 128
    learning_rate: float = 0.01
    augment: Augmentation = "shift-flip"
    distillation: bool = True

    def __post_init__(self) -> None:
        for key in ("images", "epochs", "batch_size"):
            require_whole(key, getattr(self, key))
        require(self.learning_rate > 0, "learning_rate", "more than 0", self.learning_rate)


@dataclass(frozen=True)
class FinalTraining(Training):
    """The last training of the net that is left; `distillation` as in fine-tuning."""

    distillation: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.patience is None,
            "patience",
            "none, since the full net and the pruned one train equally long",
            self.patience,
        )


@dataclass(frozen=True)
class BlockRemoval(Record):
    """Blocks removed by direct measurement.

    First `compared` blocks, beside as many random ones and those with the smallest weights; then anew, weighed `per`
    block or saving, until the net is within `budget`, which is the result. `validation_images` training images are
    held out from every training: on them candidates are measured. `test_images` test images (null: all) measure the
    net that each step leaves. The result is then trained by the schedule `final_training`; so is the full net, for
    as long. Width cuts of a step's MACs have channel counts that are multiples of `round_to`.
    """

    budget: Limits
    compared: int = 8
    per: Literal["block", "saving"] = "saving"
    validation_images: int = 2000
    test_images: int | None = None
    fine_tuning: FineTuning = field(default_factory=FineTuning)
    final_training: FinalTraining = field(default_factory=FinalTraining)
    round_to: int = 4

    def __post_init__(self) -> None:
        for key in ("compared", "validation_images", "test_images", "round_to"):
            require_whole(key, getattr(self, key))


@dataclass(frozen=True, kw_only=True)
class BlockRemovalRecipe(Recipe):
    """A run that removes residual blocks from one net."""

    block_removal: BlockRemoval

    @property
    def validation_images(self) -> int:
        """How many training images are held out from every training."""
        return self.block_removal.validation_images

    @property
    def idle_keys(self) -> tuple[str, ...]:
        """The keys that are set and have no effect."""
        own = ("data.validation_images",) if self.data.validation_images is not None else ()
        return (*super().idle_keys, *own, *idle_without_bundle(self))
