"""``pellucid validate-metadata``: explanation metadata, alone and against its model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid_cli.options.records import record
from pellucid_cli.options.shared import PATH, Console, console_of
from pellucid_cli.output.rule_pages import explain, rules

if TYPE_CHECKING:
    from pellucid.linter import Linted

STYLES = ["auto", "text", "json", "github", "sarif", "junit", "markdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What is checked, against what, and what is written of it."""

    files_from: str | None
    null: bool
    style: str
    out: str | None
    strict: bool
    ignore: tuple[str, ...]
    select: tuple[str, ...]
    run: bool
    max_findings: int
    signature: str | None
    tag_set: str | None

    @property
    def tags(self) -> list[str] | None:
        """The graph to check against, [] for the one without tags."""
        return None if self.tag_set is None else self.tag_set.split(",") if self.tag_set else []

    def linted(self, paths: Sequence[Path]) -> list[Linted]:
        """Return what there is to say of each path, by the rules that were chosen."""
        from pellucid.linter import limited

        return [limited(self._found(path), self.max_findings) for path in paths]

    def _found(self, path: Path) -> Linted:
        from pellucid.linter import kept, lint

        # Of one rule as many are kept as may be shown.
        most = self.max_findings or None
        found = lint(path, self.signature, self.tags, most=most)
        found = kept(found, self.select, self.ignore)
        if not self.run:
            return found
        from pellucid.api import smoke_test

        return kept(smoke_test(found, self.signature, self.tags), self.select, self.ignore)


@click.command(name="validate-metadata", short_help="Check metadata, alone and against its model.")
@click.argument(
    "paths",
    nargs=-1,
    type=PATH,
    envvar="PELLUCID_VALIDATE_METADATA_PATHS",
    metavar="[MODEL_DIR|FILE|DIR|GLOB]...",
)
@record(
    "checked",
    CheckOptions,
    click.option(
        "--files-from",
        type=PATH,
        metavar="FILE",
        help="Read paths from a file, one per line; - is stdin.",
    ),
    click.option("-0", "--null", is_flag=True, help="The paths of --files-from end with NUL."),
    click.option(
        "--format",
        "style",
        type=click.Choice(STYLES),
        default="auto",
        show_default=True,
        help="How findings are written; auto is github inside GitHub Actions, else text.",
    ),
    click.option(
        "-o",
        "--out",
        type=PATH,
        metavar="FILE",
        help="Write the findings to this file [default: stdout].",
    ),
    click.option("--strict", is_flag=True, help="Warnings fail too."),
    click.option(
        "--ignore", multiple=True, callback=rules, metavar="RULE", help="Rules to leave out."
    ),
    click.option(
        "--select", multiple=True, callback=rules, metavar="RULE", help="Only these rules."
    ),
    click.option(
        "--explain",
        is_eager=True,
        expose_value=False,
        callback=explain,
        metavar="RULE|all|list",
        help="Print what a rule says, with examples, and exit.",
    ),
    click.option(
        "--run", is_flag=True, help="Also load the model and explain a baseline instance."
    ),
    click.option(
        "--max-findings",
        type=click.IntRange(0),
        default=200,
        show_default=True,
        metavar="N",
        help="Show at most N findings of a file, and how many more there are; 0 shows all.",
    ),
    click.option("--signature", metavar="KEY", help="The signature to check against."),
    click.option(
        "--tag-set",
        metavar="TAGS",
        help="Tags of the graph to check against, such as 'serve' or 'serve,gpu'.",
    ),
)
@record(
    "console",
    console_of,
    click.option("-q", "--quiet", count=True, help="No summary on stderr."),
    click.option("-v", "--verbose", count=True, help="Report how each tensor name was resolved."),
)
def validate_metadata(paths: tuple[str, ...], checked: CheckOptions, console: Console) -> None:
    """Check explanation metadata, alone and against its model.

    A MODEL_DIR holds saved_model.pb and, beside it, explanation_metadata.json; a FILE is checked
    against the model beside it, if there is one; of any other DIR, all models below it are.
    TensorFlow is not needed, but for --run. Exits with 0 if all is well, 1 if there are findings, 2
    if it cannot run.
    """
    from pellucid.problems import Severity
    from pellucid_cli.files import write
    from pellucid_cli.output.findings import notes, summary, written
    from pellucid_cli.paths import chosen
    from pellucid_cli.streams import check_stdout, say
    from pellucid_cli.streams import write as write_lines

    if checked.out in (None, "-"):
        check_stdout()
    linted = checked.linted(chosen(paths, checked.files_from, null=checked.null))
    style = checked.style
    if style == "auto":
        style = "github" if os.environ.get("GITHUB_ACTIONS") else "text"
    text = written(style, linted, strict=checked.strict)
    if checked.out in (None, "-"):
        write_lines(text, commands=style == "github")
    else:
        write(Path(str(checked.out)), click.unstyle(text).encode(), force=True)
    for line in () if console.quiet else notes(linted, resolutions=bool(console.verbose)):
        say(line)
    if not console.quiet:
        say(summary(linted))
    counts = [it.counts for it in linted]
    if any(it[Severity.ERROR] or (checked.strict and it.total()) for it in counts):
        click.get_current_context().exit(1)
