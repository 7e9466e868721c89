"""Documents: JSON text in, records and located problems out, and back."""

from __future__ import annotations

from pellucid.metadata.documents.convert import convert_metadata
from pellucid.metadata.documents.document import MOST, Finding, Left, locate, problems_of
from pellucid.metadata.documents.files import (
    raise_errors,
    read_document,
    read_parameters_file,
    read_text,
)
from pellucid.metadata.documents.json_positions import Path, path_text, printable, quoted
from pellucid.metadata.documents.overrides import OVERRIDES, overridden, parameters_of_call
from pellucid.metadata.documents.parameters import parse_parameters
from pellucid.metadata.documents.parse import parse_metadata, parse_visualization
from pellucid.metadata.documents.serialize import dump_metadata
from pellucid.metadata.spellings import spelled

__all__ = [
    "MOST",
    "OVERRIDES",
    "Finding",
    "Left",
    "Path",
    "convert_metadata",
    "dump_metadata",
    "locate",
    "overridden",
    "parameters_of_call",
    "parse_metadata",
    "parse_parameters",
    "parse_visualization",
    "path_text",
    "printable",
    "problems_of",
    "quoted",
    "raise_errors",
    "read_document",
    "read_parameters_file",
    "read_text",
    "spelled",
]
