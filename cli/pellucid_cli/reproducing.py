"""``pellucid explain --reproduce FILE``: what was explained before, made again and compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click
from click.core import ParameterSource

from pellucid_cli.options.given import Given
from pellucid_cli.options.shared import Console, load

if TYPE_CHECKING:
    from pellucid.api import LoadOptions

# What may be typed beside it: all else is as FILE says.
_BESIDE = {
    "model_dir", "inputs", "reproduce", "out", "raw", "force", "metadata", "tag_set",
    "class_names", "feature_names", "baseline", "device", "allow_unsafe_ops", "verbose", "quiet",
}  # fmt: skip
_TYPED = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


class Delivering(Protocol):
    """Where a new response goes, if anywhere."""

    @property
    def out(self) -> Path | None: ...
    @property
    def raw(self) -> Path | None: ...
    @property
    def force(self) -> bool: ...
    def deliver(self, data: bytes) -> None:
        """Write the response."""
        ...


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A file, the model that it is made again with, and the inputs, where these are named."""

    file: Path
    model_dir: Path
    inputs: tuple[str, ...]
    response: Delivering
    console: Console

    def run(self, options: LoadOptions) -> int:
        """Print whether it is the same; return the exit code, 1 where it is not."""
        from pellucid.api import read_saved
        from pellucid.files import read_bytes
        from pellucid.saved_model import fingerprint
        from pellucid_cli.files import check_free, read_inputs, write
        from pellucid_cli.flags import flag
        from pellucid_cli.streams import check_stdout, put

        _refuse_settings()
        check_stdout()
        for path in (self.response.out, self.response.raw):
            if path is not None:
                check_free(path, force=self.response.force)
        saved = read_saved(read_bytes(self.file), str(self.file))
        instances = [] if self.inputs else saved.input_of()
        if self.model_dir.is_dir():  # another model may lack what the settings name
            saved.refuse_other(fingerprint(self.model_dir))
        model = load(self.console, self.model_dir, saved.options(options))
        saved.refuse_other(model.fingerprint)
        if self.inputs:
            warn, say = self.console.warn, self.console.say
            model, instances = read_inputs(model, map(Given, self.inputs), warn, say)
        else:
            instances = saved.input_of([it.name for it in model.inputs])
        explanations = model.explain(instances)
        again = saved.compared(explanations)
        if self.response.raw is not None:
            write(self.response.raw, explanations.pack(), force=self.response.force)
        if self.response.out is not None:
            self.response.deliver(saved.body(explanations))
        for sentence in again.sentences():
            put(f"{self.file}: {sentence}")
        if again.hint is not None:
            put(f"{self.file}: {again.hint.sentence(flag)}")
        return 0 if again.same else 1


def _refuse_settings() -> None:
    """Raise UsageError for what was typed and is said by the file."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in _BESIDE and context.get_parameter_source(name) in _TYPED:
            flag = max(parameter.opts, key=len)
            raise click.UsageError(f"--reproduce takes the settings of FILE; leave out {flag}")
