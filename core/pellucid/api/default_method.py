"""The method where nobody chose one: gradients, or, where they say nothing of words, Shapley's."""

from __future__ import annotations

from dataclasses import replace

from pellucid.metadata import (
    METHODS,
    Encoding,
    ExplainOptions,
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    Modality,
    given_settings,
    setting_names,
)
from pellucid.notices import Hint, Notice, Warn
from pellucid.saved_model import FLOAT_TYPES, MetaGraph, Signature, resolve_tensor, tensor_info


def default_parameters(
    metadata: ExplanationMetadata,
    meta_graph: MetaGraph,
    signature: Signature,
    options: ExplainOptions,
    say: Warn,
) -> ExplanationParameters | None:
    """Return the parameters for inferred metadata where gradients would say nothing of a text.

    That is where no tensor is behind any input that they could be taken at, or one that holds a
    text as a whole. None leaves the usual ones, and so does a setting that only gradients have.
    """
    usual, asked = ExplanationParameters(), {*given_settings(options.settings)}
    if "method" in asked or options.parameters is not None:
        return None
    if asked.intersection(setting_names(usual.method)):
        return None
    whole = [
        it.name
        for it in metadata.inputs
        if it.modality is Modality.TEXT and it.encoding is Encoding.COMBINED_EMBEDDING
    ]
    lost = [it.name for it in metadata.inputs if not _has_numbers(it, meta_graph, signature)]
    text = any(info.dtype == "string" for info in signature.inputs.values())
    if not whole and not (text and len(lost) == len(metadata.inputs)):
        return None
    names = ", ".join(f"'{it}'" for it in whole or lost)
    why = (
        f"the model sums up the words of {names}, so that gradients would explain a text as a whole"
        if whole
        else f"no gradient reaches {names}, nor a tensor behind one of them alone"
    )
    # The first that takes words apart, and leaves no category out.
    method = next(it for it in METHODS.values() if it().text_parts is not None)
    hint = Hint("choose another {method}")
    say(Notice(f"{method.title} explains what gradients cannot, as {why}", hint=hint))
    return replace(usual, method=method())


def _has_numbers(spec: InputSpec, meta_graph: MetaGraph, signature: Signature) -> bool:
    """Whether a feature is of floats, or explained behind its input."""
    if spec.encoded_tensor_name is not None:
        return True
    written = spec.tensor_name or spec.name
    tensor = resolve_tensor(meta_graph, signature, written, role="input").tensor
    return tensor_info(meta_graph, signature, tensor).dtype in FLOAT_TYPES
