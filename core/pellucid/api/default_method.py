"""The method where nobody chose one: gradients, or, where they say nothing of words, Shapley's."""

from __future__ import annotations

from dataclasses import replace

from pellucid.metadata import (
    METHODS,
    BaseMethod,
    CallSettings,
    Encoding,
    Examples,
    ExplainOptions,
    ExplanationMetadata,
    ExplanationParameters,
    InputSpec,
    Modality,
    given_settings,
    setting_names,
    with_settings,
)
from pellucid.notices import Hint, Notice, Warn
from pellucid.predictor import Predictor, gradients_refused
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


def for_predictor(
    predictor: Predictor,
    metadata: ExplanationMetadata,
    meta_graph: MetaGraph,
    signature: Signature,
    parameters: ExplanationParameters | None,
    options: ExplainOptions,
    say: Warn,
) -> ExplanationParameters | None:
    """Return the parameters for a predictor, which has no gradients.

    Where nobody chose a method, LIME explains one picture, and Shapley's values anything else.
    Raises SpecError where one was chosen that needs more than predictions.
    """
    asked = options.parameters or parameters
    if options.settings.method is not None:
        method = with_settings(
            asked or ExplanationParameters(), CallSettings(method=options.settings.method)
        ).method
    elif asked is not None:
        method = asked.method
    else:
        # What only one method has chooses it.
        own = {*given_settings(options.settings)} - {*setting_names(ExplanationParameters().method)}
        able = [it for it in METHODS.values() if it.effort is not None and not it.uses_gradients]
        of_patches = next(it for it in able if it().shown_patches is not None)
        other = next(it for it in able if it is not of_patches)
        only_patches = own & ({*setting_names(of_patches)} - {*setting_names(other)})
        picture = only_patches or _is_picture(metadata, meta_graph, signature)
        method = of_patches() if picture else other()
        say(Notice(f"{method.title} explains what a predictor says, as it gives no gradients"))
        return ExplanationParameters(method=method)
    check_asked(predictor, method)
    return parameters


def check_asked(predictor: Predictor | None, method: BaseMethod) -> None:
    """Raise SpecError where a method needs more than the predictions that a predictor gives."""
    more = method.uses_gradients or isinstance(method, Examples)
    if predictor is not None and more:
        raise gradients_refused(predictor, method.title)


def _is_picture(metadata: ExplanationMetadata, meta_graph: MetaGraph, signature: Signature) -> bool:
    """Whether the one feature is a picture of numbers."""
    if len(metadata.inputs) != 1 or metadata.inputs[0].modality is not Modality.IMAGE:
        return False
    return _has_numbers(metadata.inputs[0], meta_graph, signature)


def _has_numbers(spec: InputSpec, meta_graph: MetaGraph, signature: Signature) -> bool:
    """Whether a feature is of floats, or explained behind its input."""
    if spec.encoded_tensor_name is not None:
        return True
    written = spec.tensor_name or spec.name
    tensor = resolve_tensor(meta_graph, signature, written, role="input").tensor
    return tensor_info(meta_graph, signature, tensor).dtype in FLOAT_TYPES
