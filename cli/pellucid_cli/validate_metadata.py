"""``pellucid validate-metadata``: explanation metadata, alone and against its model."""

from __future__ import annotations

import os
from pathlib import Path

import click


def _rules(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Split ``--ignore MD035,key-case`` and refuse what is no rule."""
    from pellucid.errors import did_you_mean
    from pellucid.lint import is_rule
    from pellucid.rules import RULES

    words = tuple(word.strip() for value in values for word in value.split(",") if word.strip())
    for word in words:
        if not is_rule(word):
            known = [*RULES, *(rule.name for rule in RULES.values())]
            raise click.BadParameter(f"'{word}' is not a rule{did_you_mean(word, known)}")
    return words


@click.command(name="validate-metadata")
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="MODEL_DIR|FILE...",
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["auto", "text", "json", "github"]),
    default="auto",
    show_default=True,
    help="How findings are written; auto is github inside GitHub Actions, else text.",
)
@click.option(
    "-o",
    "--out",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the findings to this file, not to stdout.",
)
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--ignore", multiple=True, callback=_rules, metavar="RULE", help="Rules to leave out."
)
@click.option("--select", multiple=True, callback=_rules, metavar="RULE", help="Only these rules.")
@click.option("--signature", metavar="KEY", help="The signature to check against.")
@click.option("--tag-set", metavar="TAGS", help="The graph to check against, as tag,tag.")
@click.option("-q", "--quiet", count=True, help="No summary on stderr.")
@click.option("-v", "--verbose", count=True, help="Say how each tensor name was resolved.")
def validate_metadata(
    paths: tuple[Path, ...],
    style: str,
    output: Path | None,
    strict: bool,
    ignore: tuple[str, ...],
    select: tuple[str, ...],
    signature: str | None,
    tag_set: str | None,
    quiet: int,
    verbose: int,
) -> None:
    """Check explanation metadata, alone and against its model.

    A MODEL_DIR holds saved_model.pb and, beside it, explanation_metadata.json; a FILE is checked
    against the model beside it, if there is one. TensorFlow is not needed. Exits with 0 if all is
    well, 1 if there are findings, 2 if it cannot run.
    """
    from pellucid.check import shape_text
    from pellucid.lint import keep, lint
    from pellucid.spec import Severity
    from pellucid_cli.findings import as_github, as_json, as_text

    tags = None if tag_set is None else tag_set.split(",") if tag_set else []
    linted = [lint(path, signature, tags) for path in paths]
    problems = [it for one in linted for it in keep(one.problems, select, ignore)]
    if style == "auto":
        style = "github" if os.environ.get("GITHUB_ACTIONS") else "text"
    if style == "text":
        found = as_text(problems, {str(it.path): it.text for it in linted if it.text is not None})
    else:
        found = as_json(problems) if style == "json" else as_github(problems)
    if output is None:
        click.echo(found, nl=False)
    else:
        _write(output, click.unstyle(found))
    for one in linted:
        if one.inferred and not quiet:
            names = ", ".join(f"'{it.name}' ({it.modality.value})" for it in one.inferred.inputs)
            click.echo(
                f"{one.path}: has no explanation_metadata.json; inferred the inputs {names} "
                f"and the output '{one.inferred.output.name}'",
                err=True,
            )
        for it in one.resolutions if verbose else ():
            kind = f"{it.info.dtype} {shape_text(it.info.shape)}"
            click.echo(
                f"{one.path}: {it.path}: '{it.resolved.written}' is {it.resolved.how}, {kind}",
                err=True,
            )
    errors = sum(it.severity is Severity.ERROR for it in problems)
    warnings = len(problems) - errors
    if not quiet:
        counts = ((len(linted), "file"), (errors, "error"), (warnings, "warning"))
        files, *rest = (f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts)
        click.echo(f"{files}: {', '.join(rest)}", err=True)
    if errors or (strict and warnings):
        click.get_current_context().exit(1)


def _write(path: Path, text: str) -> None:
    from pellucid.errors import OutputError

    try:
        with click.open_file(os.fspath(path), "w", encoding="utf-8", atomic=True) as file:
            file.write(text)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
