"""``python -m pellucid_cli``: the program, which imports nothing from the current directory."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the program."""
    if not getattr(sys.flags, "safe_path", sys.flags.isolated):
        del sys.path[0]  # where Python has put the current directory, before everything else
    from pellucid_cli.main import main

    main()


if __name__ == "__main__":
    run()
