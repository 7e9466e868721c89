"""``pellucid schema``: the JSON Schemas of the documents that Pellucid reads or writes."""

from __future__ import annotations

import click


@click.command(short_help="Print the JSON Schema of a document, for editors.")
@click.argument(
    "name",
    type=click.Choice(["ai-platform", "vertex", "parameters", "summary"]),
    default="ai-platform",
)
def schema(name: str) -> None:
    """Print the JSON Schema of a document, for editors that complete and check it.

    ai-platform is that of explanation_metadata.json, vertex that of an ExplanationSpec or
    ExplanationMetadata, parameters that of a file for --spec, summary that of the summary.json
    that batch writes.
    """
    import json

    from pellucid.metadata import published_schema
    from pellucid_cli.streams import write_bytes

    text = json.dumps(published_schema(name), indent=2, ensure_ascii=False) + "\n"
    write_bytes(text.encode())
