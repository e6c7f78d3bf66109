"""One of several processes that train a recipe's elastic net together. Run as a script: RECIPE WORKSPACE [EPOCH].

With EPOCH the process kills itself when that epoch has ended.
"""

import os
import signal
import sys

import keras

from pipelines.backend import Cluster
from pipelines.errors import PipelineError
from pipelines.experiments import join, load_recipe
from pipelines.experiments.elastic import joint_training, ladder
from pipelines.progress import Reporter
from pipelines.stages import Run, baseline, data, run_stages
from pipelines.stages.announcing import announcing_trainings
from pipelines.stages.devices import require_distribution
from pipelines.workspace import Workspace

STAGES = (data.STAGE, baseline.STAGE, ladder.STAGE, joint_training.STAGE)


def main(recipe_file: str, folder: str, last_epoch: int | None) -> None:
    if last_epoch is not None:
        from pipelines.stages.training import AfterEachEpoch

        def die(callback: AfterEachEpoch, epoch: int, logs: object = None) -> None:
            if epoch + 1 == last_epoch:
                os.kill(os.getpid(), signal.SIGKILL)

        AfterEachEpoch.on_epoch_end = die
    recipe, reporter = load_recipe(recipe_file), Reporter(quiet=True)
    if Cluster.of_environment().process > 0:
        join(Run(recipe, Workspace(folder, recipe.name), reporter, command="again"))
        return
    with Workspace.open(folder, recipe.name) as workspace:
        run = Run(recipe, workspace, reporter, command="again")
        require_distribution(recipe)
        with announcing_trainings(run):
            run_stages(run, STAGES)
    print(f"{len(keras.distribution.list_devices())} devices")  # noqa: T201


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
