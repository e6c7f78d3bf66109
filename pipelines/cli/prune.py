"""`tfelastic prune`: a smaller model under a budget."""

from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import options, prune_requests
from pipelines.cli.budget import LIMIT
from pipelines.cli.json_output import echo_json
from pipelines.cli.mode_comparison import MODES

if TYPE_CHECKING:
    from pipelines.progress import Reporter


@click.command()
@click.argument("model", type=options.PATH, metavar="MODEL.keras")
@click.option("-o", "--output", type=options.PATH, metavar="OUT.keras", help="Where to write.")
@click.option(
    "--budget",
    "limits",
    type=LIMIT,
    multiple=True,
    help="What the result may spend: params, macs, peak_bytes or tflite_bytes, as a share of the "
    "original (macs=0.5) or an amount (params=100000). Several may be given; all hold.",
)
@click.option(
    "--strategy",
    default="global",
    show_default=True,
    help="global, uniform, complexity or blocks.",
)
@click.option(
    "--data",
    type=options.PATH,
    metavar="SOURCE",
    help="Of blocks and of criteria: the images to use.",
)
@click.option(
    "--fine-tune-epochs",
    "epochs",
    type=click.IntRange(0, 2**31 - 1),
    help="Of blocks: after each step.  [default: 0]",
)
@click.option(
    "--checkpoint",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Of blocks: go on from there if cut short; kept until then.",
)
@click.option(
    "--criterion",
    help="What ranks channels: magnitude (the default), l1, l2, batch_norm, geometric_median or random; with "
    "--data also activation, taylor or hessian.",
)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    help="Of complexity: what it is.  [default: params]",
)
@click.option(
    "--sampling",
    type=click.Choice(("weighted", "largest")),
    help="Of complexity: how groups are drawn by their share.  [default: weighted]",
)
@click.option(
    "--seed", type=options.SEED, help="Of complexity: settles what is drawn.  [default: 0]"
)
@click.option(
    "--compare", is_flag=True, help="Of complexity: tabulate and draw what each mode would leave."
)
@click.option("--measure", is_flag=True, help="With --compare: time every model here, in float32.")
@click.option("--round-to", type=options.COUNT, help="Channel counts' multiple.  [default: 8]")
@click.option("--floor", type=options.SHARE, help="Share of a group that stays.  [default: 0]")
@click.option("--protect", multiple=True, metavar="LAYER", help="Keep this layer's channels.")
@click.option("--plan", type=options.PATH, metavar="PLAN.json", help="Carry out this plan instead.")
@click.option(
    "--save-plan", type=options.PATH, metavar="PLAN.json", help="Write the plan here as well."
)
@options.as_json
@options.quiet
def command(model: str, as_json: bool, quiet: bool, **asked: Any) -> None:
    """Prune the channels of MODEL.keras, or remove its blocks, until it fits a budget.

    \b
    tfelastic prune net.keras -o half.keras --budget macs=0.5
    tfelastic prune net.keras -o small.keras --budget params=100000 --budget peak_bytes=0.5
    tfelastic prune net.keras -o lean.keras --budget macs=0.5 --strategy complexity --mode peak
    tfelastic prune net.keras -o shallow.keras --budget params=0.4 --strategy blocks --data cifar10
    tfelastic prune net.keras --strategy complexity --compare -o PICTURE.svg --measure
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    from pipelines.progress import Reporter

    request = prune_requests.choose(asked)
    answer = _carried_out(request, model, Reporter(quiet=quiet))
    if as_json:
        echo_json(answer.to_json())
    else:
        click.echo(str(answer))


def _carried_out(
    request: prune_requests.Request, model: str, reporter: "Reporter"
) -> prune_requests.Answer:
    """Carry out a request; a budget out of reach is explained in the command's own words."""
    from tfelastic.errors import BudgetError

    try:
        return request.carry_out(model, reporter)
    except BudgetError as error:
        if not error.advice:
            raise
        raise click.ClickException(
            f"{error.reason}; allow more by --budget, lower --floor or --round-to, or --protect fewer layers"
        ) from error
