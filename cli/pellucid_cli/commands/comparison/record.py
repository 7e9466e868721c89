"""``pellucid record``: a proxy that keeps what a service is asked and answers, for `parity`."""

from __future__ import annotations

from pathlib import Path

import click

from pellucid_cli.options.shared import Console, verbosity_options


@click.command(short_help="Keep what a service is asked and answers, as a proxy before it.")
@click.argument("folder", type=click.Path(path_type=Path), required=False, default=Path("recorded"))
@click.option("--to", required=True, metavar="URL", help="The service that requests are passed to.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to bind.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port; 0 picks a free one.",
)
@click.option(
    "--allowed-host",
    multiple=True,
    metavar="NAME",
    help="A name clients may ask by, beside localhost and the bound address; * for any.",
)
@verbosity_options
def record(
    folder: Path,
    to: str,
    host: str,
    port: int,
    allowed_host: tuple[str, ...],
    console: Console,
) -> None:
    """Keep what a service is asked and answers, while it still answers.

    A proxy: point clients at the address that is printed. Requests are passed on as they come, and
    each exchange is a file in FOLDER, by default "recorded", which pellucid parity reads. Kept are
    the bodies and the path, on this machine alone; headers and queries, where tokens are, never
    are, nor are answers that are errors. Stops at SIGTERM.
    """
    from pellucid.errors import DependencyError
    from pellucid.notices import Notice, Where
    from pellucid_cli.streams import put

    try:
        from pellucid.serve import Guard, server
        from pellucid.serve.proxy import Proxy, run_proxy
        from pellucid.serve.recording import Recorder
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"{error.name} is not installed, and the proxy needs it",
            hint="pip install 'pellucid[serve,predictor]'",
        ) from error
    recorder = Recorder(folder, console.warn)
    proxy = Proxy(to, recorder, Guard(None, host, allowed_host))
    listening = server.listen(host, port)
    put(server.address(listening))
    interrupted = run_proxy(proxy, listening)
    kept = f"{recorder.kept:,} exchange{'s' * (recorder.kept != 1)} kept"
    console.say(Notice(kept, Where(file=str(folder))))
    if interrupted:
        raise click.exceptions.Exit(130)
