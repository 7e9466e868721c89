"""The program: the group of commands, and the one place that turns errors into text.

Exit codes: 0 all is well; 1 findings, or instances that failed; 2 usage, bad configuration, or a
model that cannot be loaded; 130 interrupted; 141 the reader of stdout went away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from pellucid import __version__
from pellucid.errors import InstanceError, PellucidError
from pellucid.printable import printable
from pellucid_cli.commands.batch import batch, merge
from pellucid_cli.commands.comparison import diff, parity, record
from pellucid_cli.commands.completion import completion
from pellucid_cli.commands.convert_metadata import convert_metadata
from pellucid_cli.commands.evaluate import evaluate
from pellucid_cli.commands.explain import explain
from pellucid_cli.commands.gallery import gallery
from pellucid_cli.commands.index import index
from pellucid_cli.commands.init_metadata import init_metadata
from pellucid_cli.commands.schema import schema
from pellucid_cli.commands.serve import serve
from pellucid_cli.commands.suggest_baseline import suggest_baseline
from pellucid_cli.commands.validate_metadata import validate_metadata
from pellucid_cli.commands.visualize import visualize
from pellucid_cli.failing import colour, fail
from pellucid_cli.flags import asked_of, flag, learn
from pellucid_cli.local_paths import keep_local, map_option
from pellucid_cli.project_file import set_defaults
from pellucid_cli.streams import flush_stdout, leave_stdout, standard_streams, unlike_commands

SETTINGS: dict[str, object] = {
    "help_option_names": ["-h", "--help"],
    "auto_envvar_prefix": "PELLUCID",
    "max_content_width": 100,
}


class ClosedPipeError(Exception):
    """Nobody reads stdout any more."""


class Program(click.Group):
    """A group whose commands have defaults from a project's file.

    It reports a closed pipe, which Click's own `main` would pass over in silence.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and let the project's file set its options."""
        name, command, rest = super().resolve_command(ctx, args)
        asked_of(None)
        if command is not None and not ctx.resilient_parsing:
            set_defaults(ctx, self, command, rest)
        return name, command, rest

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """Read what was typed, and print help where that is asked for."""
        with _closed_pipe_told():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        with _closed_pipe_told():
            result = super().invoke(ctx)
            flush_stdout()
        return result


@contextmanager
def _closed_pipe_told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        leave_stdout()
        raise ClosedPipeError from error


@click.group(cls=Program, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="pellucid")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour on the terminal; NO_COLOR and FORCE_COLOR count, too.",
)
@click.option("--traceback", is_flag=True, help="Show where an error comes from.")
@click.pass_context
def cli(context: click.Context, color: str, traceback: bool) -> None:
    """Explain the predictions of TensorFlow SavedModels.

    Which pixels, regions, words or columns made the model say what it said.
    """
    if color != "auto":
        # Rich reads the environment, and so does `_colour`: one place that says what was chosen.
        for name in ("NO_COLOR", "FORCE_COLOR"):
            os.environ.pop(name, None)
        os.environ["FORCE_COLOR" if color == "always" else "NO_COLOR"] = "1"
    context.color = colour()


for command in (
    explain,
    index,
    visualize,
    batch,
    merge,
    evaluate,
    suggest_baseline,
    diff,
    parity,
    record,
    serve,
    gallery,
    validate_metadata,
    init_metadata,
    convert_metadata,
    schema,
    completion,
):
    cli.add_command(command)
    map_option(command)
    learn(command)
    for parameter in command.params:
        keep_local(command, parameter)
        if isinstance(parameter, click.Option) and parameter.envvar is None:
            # As its flag says, whatever the code calls it.
            written = max(parameter.opts, key=len).lstrip("-")
            parameter.envvar = f"PELLUCID_{command.name}_{written}".replace("-", "_").upper()


def main() -> None:
    """Run the program and exit with the code that the result deserves."""
    with standard_streams():
        code = _code()
    asked_of(None)
    raise SystemExit(code if isinstance(code, int) else 0)


def _code() -> object:
    """Run the program; return its exit code, having said why."""
    code: object
    try:
        code = cli.main(prog_name="pellucid", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = fail("interrupted", 130)
    except click.ClickException as error:
        # As Click writes it, with what was typed in it; nobody but us has this error.
        vars(error)["message"] = unlike_commands(printable(error.message))
        error.show()
        code = 2
    except ClosedPipeError:
        code = fail("the output was closed before all of it was written", 141)
    except InstanceError as error:
        code = fail(error.sentence(flag), 1)
    except PellucidError as error:
        code = fail(error.sentence(flag), 2)
    except OSError as error:
        leave_stdout()  # which may be what is full
        place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        code = fail(f"{place}{error.strerror or error}", 2)
    except MemoryError:
        code = fail("out of memory; explain fewer or smaller instances at a time", 2)
    except Exception as error:
        code = fail(
            f"internal error, {type(error).__name__}: {error}; "
            "please report it with what --traceback shows",
            2,
        )
    return code
