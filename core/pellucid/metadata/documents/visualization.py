"""Visualization settings on their own, without a document."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pellucid.errors import SpecError
from pellucid.metadata.documents.parse import parse_metadata
from pellucid.metadata.spec import Visualization
from pellucid.notices import Where
from pellucid.problems import Severity


def parse_visualization(settings: Mapping[str, object]) -> Visualization:
    """Return the settings of a ``visualization`` object, by the rules of the metadata.

    Raises SpecError for an unknown key or a value out of range.
    """
    # The rules are those of a whole document, so a whole document is what is read.
    image = {"input_tensor_name": "x", "modality": "image", "visualization": dict(settings)}
    document = {
        "inputs": {"x": image},
        "outputs": {"y": {"output_tensor_name": "y"}},
        "framework": "tensorflow",
    }
    parsed = parse_metadata(json.dumps(document))
    for problem in parsed.problems:
        if problem.severity is Severity.ERROR:
            # What follows is the path that was written.
            where = Where(path=problem.path.removeprefix("inputs.x."))
            raise SpecError(problem.message, parsed.problems, where=where, hint=problem.hint)
    assert parsed.metadata is not None, "a document without errors has metadata"
    return parsed.metadata.inputs[0].visualization or Visualization()
