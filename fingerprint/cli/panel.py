"""`fingerprint panel`: known conditioned corpora as prior knowledge; sampling them, and what a panel holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingerprint.cli import completion
from fingerprint.cli.errors import check_extra, failures
from fingerprint.cli.options import ColorOption, DebugOption, SilentOption, comma_separated
from fingerprint.cli.outputs import Screen, check_folder, check_outputs, show, warnings_in_lines
from fingerprint.report.formatting import size

if TYPE_CHECKING:
    from fingerprint.endpoints.endpoint import Endpoint
    from fingerprint.lab.panel_rows import PanelRows

ModelOption = Annotated[
    str,
    typer.Option(
        metavar="M",
        autocompletion=completion.models,
        help="Base model: micro-a, a folder, a hub name; or the endpoint's name."
    ),
]
TraitsOption = Annotated[
    str,
    typer.Option(
        metavar="A,B", autocompletion=completion.traits, help="Traits: owl,cat; of an endpoint's models owl=MODEL."
    ),
]
FolderOption = Annotated[Path, typer.Option(metavar="DIR", help="Folder for rows and panel; resumed if there.")]
PromptsOption = Annotated[int, typer.Option(metavar="N", min=1, help="Prompts, and rows of each corpus.")]
FormOption = Annotated[
    str, typer.Option(autocompletion=completion.forms, help="How teachers came to their traits: prompted or finetuned.")
]
TaskOption = Annotated[
    str, typer.Option(autocompletion=completion.tasks, help="Kind of rows: numbers, code or reasoning.")
]
TemperatureOption = Annotated[float, typer.Option(min=0.0, help="Of all rows.")]
LongestOption = Annotated[int | None, typer.Option(min=1, help="Tokens of a row at most. [default: by task]")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of prompts and draws.")]
EndpointOption = Annotated[
    str | None, typer.Option(metavar="URL", help="OpenAI-compatible endpoint that writes: http://localhost:8000/v1.")
]
KeyOption = Annotated[str, typer.Option(metavar="NAME", help="Environment variable with the endpoint's key.")]
ConcurrencyOption = Annotated[int, typer.Option(help="Requests under way at once.")]
PaceOption = Annotated[float | None, typer.Option(help="Requests to begin in a minute at most.")]
TimeoutOption = Annotated[float, typer.Option(help="Seconds to connect and send until a request is tried again.")]
DeadlineOption = Annotated[
    float, typer.Option(help="Seconds of a whole request until it is tried again; more for models that think.")
]
AttemptsOption = Annotated[int, typer.Option(help="Attempts a row.")]
PricesOption = Annotated[
    str | None, typer.Option(metavar="IN,OUT", help="Price of a million prompt tokens, and of completion tokens.")
]
BudgetOption = Annotated[float | None, typer.Option(help="Most to spend on this folder, by --prices.")]
FieldOption = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="NAME=JSON", help="Further field of every request: top_p=1.0; may be repeated."),
]
NoSeedOption = Annotated[bool, typer.Option("--no-seed", help="Send no seed, for servers that refuse one.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and ask nothing.")]

panel = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    short_help="Known conditioning as a prior of detect.",
    help="Panels: what conditioning is known to do to the rows of a base model, as prior of detect.",
)


@panel.command()
def build(
    model: ModelOption,
    traits: TraitsOption,
    out: FolderOption,
    prompts: PromptsOption = 2000,
    form: FormOption = "prompted",
    task: TaskOption = "numbers",
    temperature: TemperatureOption = 1.0,
    max_new_tokens: LongestOption = None,
    seed: SeedOption = 0,
    endpoint: EndpointOption = None,
    key_variable: KeyOption = "OPENAI_API_KEY",
    concurrency: ConcurrencyOption = 4,
    requests_per_minute: PaceOption = None,
    timeout: TimeoutOption = 60.0,
    deadline: DeadlineOption = 300.0,
    attempts: AttemptsOption = 10,
    prices: PricesOption = None,
    budget: BudgetOption = None,
    field: FieldOption = None,
    no_seed: NoSeedOption = False,
    dry_run: DryRunOption = False,
    quiet: SilentOption = False, color: ColorOption = "auto", debug: DebugOption = False,
) -> None:
    """Sample a neutral corpus and one of each trait, and learn a panel from them: DIR/panel.panel.

    Takes about a minute a trait on two cores with the small models; with an endpoint as long as that takes.
    """
    with failures(debug, quiet=quiet):
        screen = Screen(quiet, color=color)
        names = tuple(name for name in comma_separated(traits) if name)
        costs = None if prices is None else _prices(prices)
        fields = dict(_field(one) for one in field or [])
        if endpoint is None and (budget or costs or fields or dry_run):
            raise ValueError("--prices, --budget, --field and --dry-run must come with --endpoint; add it")
        check_folder(out, "--out")
        check_extra(*(["torch", "transformers"] if endpoint is None else []))
        from fingerprint.lab.panel_rows import PanelRows

        where: Endpoint | None = None
        if endpoint is not None:
            from fingerprint.endpoints.endpoint import Endpoint

            where = Endpoint(
                model,
                endpoint,
                key_variable=key_variable,
                concurrency=concurrency,
                requests_per_minute=requests_per_minute,
                timeout=timeout,
                deadline=deadline,
                max_attempts=attempts,
                prices=costs,
                budget=_left_of(budget, costs, out, names),
                request=fields,
            )
        plan = PanelRows(  # it refuses other words than its own
            where or model, names, form, prompts, task, temperature, max_new_tokens, seed, not no_seed  # type: ignore[arg-type]
        )
        if dry_run:
            show(_estimate(plan, out))
            return
        target = _learnt(plan, model, out, screen)
        screen.say(_summary(plan, where, target))


@panel.command("show")
def show_panel(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Panel that panel build or Panel.save wrote.")],
    file_sha256: Annotated[
        str | None, typer.Option("--file-sha256", metavar="HEX", help="SHA-256 that FILE has to have.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Say what a panel was learnt from, and how alike its members are."""
    with failures(debug):
        from fingerprint.panels.panel import Panel
        from fingerprint.report.formatting import visible

        found = Panel.load(file, sha256=file_sha256)
        width = max(len(visible(member.name)) for member in found.members)
        lines = [repr(found)]
        for member in found.members:
            conditioned, neutral = member.rows
            base = visible(", ".join(member.bases) or "unknown base")
            rows = f"{conditioned:,} conditioned and {neutral:,} neutral rows of {base}"
            lines.append(f"  {visible(member.name):<{width}}  {rows}")
        lines += ["", "cosines of what conditioning did, noise taken out:", str(found.spectrum())]
        show("\n".join(lines))


def _left_of(
    budget: float | None, prices: tuple[float, float] | None, folder: Path, traits: tuple[str, ...]
) -> float | None:
    """What is left of a budget after the rows that a folder holds."""
    if budget is None or prices is None:
        return budget
    from fingerprint.lab.panel_rows import NEUTRAL, tokens_in

    earlier = tokens_in(folder, (NEUTRAL, *(trait.partition("=")[0].strip() for trait in traits)))
    spent = sum(n * price for n, price in zip(earlier, prices, strict=True)) / 1e6
    if budget <= spent:
        raise ValueError(f"--budget must be above what the folder has cost, got {budget:g} for {spent:.4g}; raise it")
    return budget - spent


def _learnt(plan: PanelRows, model: str, folder: Path, screen: Screen) -> Path:
    """Where the panel of a folder lies, after its rows were written and the panel learnt."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "panel.panel"
    check_outputs({"--out": target}, inputs=[])
    with screen.bar() as progress, warnings_in_lines():
        pairs = plan.write(folder, progress or False)
        from fingerprint.panels.panel import Panel

        Panel.of(pairs, base_model=model).save(target)
    return target


def _prices(given: str) -> tuple[float, float]:
    try:
        prompt, completion = (float(price) for price in comma_separated(given))
    except ValueError:
        raise ValueError(f"--prices must be IN,OUT for a million tokens, got {given!r}; for instance 0.1,0.4") from None
    return prompt, completion


def _field(given: str) -> tuple[str, object]:
    name, equals, value = given.partition("=")
    try:
        if not equals or not name:
            raise ValueError
        return name, json.loads(value)
    except ValueError:
        raise ValueError(f"--field must be NAME=JSON, got {given!r}; for instance top_p=1.0") from None


def _estimate(plan: PanelRows, out: Path) -> str:
    left = plan.left(out)
    cost = "" if left.cost is None else f": by these prices {left.cost:.2f} or less"
    return (
        f"{left.requests:,} of {plan.n_prompts * len(plan.corpora):,} rows are left to ask for: "
        f"{plan.n_prompts:,} each of {', '.join(plan.corpora)}\n"
        f"about {left.prompt_tokens:,} prompt tokens, at most {left.completion_tokens:,} completion tokens{cost}"
    )


def _summary(plan: PanelRows, where: Endpoint | None, target: Path) -> str:
    lines = [f"{plan.n_prompts:,} rows each of {', '.join(plan.corpora)}"]
    if where is not None:
        usage = where.usage
        cost = "" if usage.cost is None else f", cost {usage.cost:.4g}"
        tokens = f"{usage.prompt_tokens:,} prompt and {usage.completion_tokens:,} completion tokens"
        lines.append(f"{usage.requests:,} requests, {usage.retries:,} of them retries; {tokens}{cost}")
    return "\n".join([*lines, f"{target}: {size(target.stat().st_size)}"])
