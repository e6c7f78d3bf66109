"""A training on two devices of TensorFlow, made before it uses any. Run as a script: RECIPE WORKSPACE ..."""

import sys

import tensorflow as tf

(CPU,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(CPU, [tf.config.LogicalDeviceConfiguration()] * 2)

from pipelines.experiments import load_recipe  # noqa: E402
from pipelines.progress import Reporter  # noqa: E402
from pipelines.stages import Run, run_stages  # noqa: E402
from pipelines.stages.devices import device_count, require_distribution  # noqa: E402
from pipelines.workspace import Workspace  # noqa: E402
from tests.pipelines.stages.joint_process import STAGES  # noqa: E402

if __name__ == "__main__":
    for recipe_file, folder in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        recipe = load_recipe(recipe_file)
        require_distribution(recipe)
        with Workspace.open(folder, recipe.name) as workspace:
            run_stages(Run(recipe, workspace, Reporter(quiet=True), command="again"), STAGES)
        print(device_count(recipe.distribution), "devices")  # noqa: T201
