"""The group of commands, and the one place where errors become messages and exit codes."""

import errno
import importlib
import traceback
from collections.abc import Sequence
from importlib import metadata

import click
from click.shell_completion import shell_complete

from pipelines.cli import supervisor
from pipelines.cli.supervisor import STOPPED

#: Command name: what its module's `command` does. The module has the command's name.
COMMANDS = {
    "demo": "Run the built-in demo: train, export, measure, select, report.",
    "run": "Run a recipe, or go on with a run that was stopped.",
    "sweep": "Run recipes with several seeds each, and compare the runs.",
    "nest": "Make a Keras model of your own elastic, and pack, measure and report it.",
    "inspect": "Print a model's layers, groups, blocks and cost, or what a bundle holds.",
    "prune": "Prune a model's channels or blocks until it fits a budget.",
    "export": "Convert a model's rungs and pack them into one bundle.",
    "unpack": "Write a bundle's variants as ordinary .tflite files.",
    "verify": "Check a bundle: checksums, variants, and what they compute.",
    "profile": "Measure a bundle's variants on this machine, phones or a board.",
    "select": "Explain which variant a latency budget chooses, row by row.",
    "simulate": "Simulate the selector under a trace of load, beside references.",
    "embed": "Write a bundle as C++ for a microcontroller.",
    "app": "Write an Android app around a bundle.",
    "report": "Write a run's report.html anew, or compare several runs.",
    "doctor": "Say what is installed, what each missing thing costs, and whether the demo can run.",
}

#: The variable by which a shell asks for completion, as click names it.
COMPLETION = "_TFELASTIC_COMPLETE"

#: Errors of these packages are raised on purpose and say all that is needed.
_OWN = frozenset({"pipelines", "tfelastic", "tflite_export", "tfelastic_runtime"})


class LazyGroup(click.Group):
    """Lists commands without importing them: `--help` must not wait for TensorFlow."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"pipelines.cli.{cmd_name}").command
        command.name = cmd_name  # The module names it, not the function.
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f'Completion in bash: eval "$({COMPLETION}=bash_source tfelastic)"; in zsh with zsh_source.',
)
@click.version_option(metadata.version("tfelastic"), prog_name="tfelastic")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--import",
    "imports",
    multiple=True,
    metavar="FILE.py|MODULE",
    help="Run Python code that registers layers, losses or metrics of your own, before a model is loaded.",
)
def tfelastic(debug: bool, imports: tuple[str, ...]) -> None:
    """Turn a Keras CNN into one elastic network that runs within a device's latency budget."""


def complete(instruction: str) -> int:
    """Do what a shell asks for by the variable `COMPLETION`: print its script, or the words that may come next."""
    return shell_complete(tfelastic, {}, "tfelastic", COMPLETION, instruction)


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code, with every error printed on standard error.

    Raises:
        BrokenPipeError: Nobody reads the output any more.
    """
    debug = False
    try:
        with tfelastic.make_context("tfelastic", list(arguments)) as ctx:
            debug = ctx.params["debug"]
            ctx.meta["arguments"] = tuple(arguments)
            tfelastic.invoke(ctx)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        return STOPPED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 (the last resort: no traceback for a user)
        if supervisor.stopping():  # What Ctrl-C interrupted may fail in any way.
            click.echo("stopped", err=True)
            return STOPPED
        if debug:
            traceback.print_exc()
        else:
            click.echo(_message(error), err=True)
        return 1
    return 0


def _message(error: Exception) -> str:
    kind = type(error)
    if kind.__module__.partition(".")[0] in _OWN:
        return f"error: {error}"
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename is not None else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        mend = "; free some space, and run the same command again" if full else ""
        if isinstance(error, PermissionError):
            mend = (
                "; give yourself the right to it, for example by chmod u+rw, or name another place"
            )
        return f"error: {named}{error.strerror or error}{mend}"
    if isinstance(error, MemoryError):
        return "error: out of memory; give it fewer or smaller examples, or a smaller batch"
    return (
        f"error: unexpected {kind.__name__}: {error}\n"
        "'tfelastic --debug ...' shows where it happened; please report it"
    )
