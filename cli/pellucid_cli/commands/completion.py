"""``pellucid completion``: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pellucid_cli.streams import write


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: eval "$(pellucid completion bash)".
    """
    script = get_completion_class(shell)
    assert script is not None, "click has all three"
    root = context.find_root().command
    write(script(root, {}, "pellucid", "_PELLUCID_COMPLETE").source() + "\n")
