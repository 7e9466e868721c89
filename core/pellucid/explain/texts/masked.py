"""What stands in the place of words that are left out, where a model has no score for no words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pellucid.errors import InstanceError, OutOfMemoryError
from pellucid.explain.texts.found import Texts
from pellucid.metadata import Attributing
from pellucid.model import Attribution
from pellucid.notices import Hint, Notice

UNKNOWN = "[UNK]"
"""The word for unknown words: a vocabulary has it for this, or does not know it."""


class Apart(Exception):
    """Some of several instances may need a mask: each is to be asked alone."""


def answered(
    asked: Callable[[Attributing], Attribution],
    method: Attributing,
    texts: Texts,
    *,
    several: bool,
) -> tuple[Attribution, Texts]:
    """Return what a method says, and the texts with what is said of them.

    Some models have no score for texts without words, as those that divide by the number of words.
    There, words that are left out are unknown ones, unless a mask was chosen; where that is no
    better, the first error is raised. Of `several` instances each decides for itself: Apart.
    """
    try:
        return asked(method), texts
    except OutOfMemoryError:
        raise
    except InstanceError as error:
        parts = method.text_parts
        if not texts.cuts or parts is None or parts.mask is not None:
            raise
        if several:
            raise Apart from error
        masked: Any = method  # what cuts texts has a mask
        try:
            attribution = asked(replace(masked, mask=UNKNOWN))
        except InstanceError:
            raise error from None
    what = (
        "the model has no score for texts whose words are all left out, so that words that are "
        f"left out are replaced by an unknown one, '{UNKNOWN}'"
    )
    said = Notice(what, hint=Hint("choose another with {mask}"))
    return attribution, replace(texts, said=(*texts.said, said))
