"""``model.config``: TensorFlow Serving's ``ModelServerConfig``, as protocol buffers' text.

The fields are those of ``tensorflow_serving/config/model_server_config.proto``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pellucid.errors import SpecError
from pellucid.files import read_text
from pellucid.notices import Notice, Warn, Where
from pellucid.serve.model_repository import ModelEntry, Policy
from pellucid.serve.tf_serving.folders import entry, every, latest, only

_SCHEMA: dict[str, list[tuple[str, int, str, bool]]] = {
    "ModelServerConfig": [("model_config_list", 1, "ModelConfigList", False)],
    "ModelConfigList": [("config", 1, "ModelConfig", True)],
    "ModelConfig": [
        ("name", 1, "string", False),
        ("base_path", 2, "string", False),
        ("model_type", 3, "enum", False),
        ("model_platform", 4, "string", False),
        ("logging_config", 6, "LoggingConfig", False),
        ("model_version_policy", 7, "ServableVersionPolicy", False),
        ("version_labels", 8, "VersionLabel", True),
    ],
    "ServableVersionPolicy": [
        ("latest", 100, "Latest", False),
        ("all", 101, "All", False),
        ("specific", 102, "Specific", False),
    ],
    "Latest": [("num_versions", 1, "uint32", False)],
    "All": [],
    "Specific": [("versions", 1, "int64", True)],
    # A map is written as a list of its entries.
    "VersionLabel": [("key", 1, "string", False), ("value", 2, "int64", False)],
    "LoggingConfig": [
        ("log_collector_config", 1, "LogCollectorConfig", False),
        ("sampling_config", 2, "SamplingConfig", False),
    ],
    "LogCollectorConfig": [("type", 1, "string", False), ("filename_prefix", 2, "string", False)],
    "SamplingConfig": [("sampling_rate", 1, "double", False)],
}
_UNUSED = ("version_labels", "logging_config")
"""What of a model is read and has no meaning here."""


def config_entries(file: Path, say: Warn) -> list[ModelEntry]:
    """Return the models of a ``model.config``; relative paths are below the file's folder.

    What has no meaning here is passed to `say`. Raises SpecError, with the line of what does not
    parse, and ModelError.
    """
    where = Where(file=str(file))
    models: dict[str, ModelEntry] = {}
    configs = _parsed(file).model_config_list.config
    for number, config in enumerate(configs):
        place = Where(file=str(file), path=f"config[{number}]")
        for key in ("name", "base_path"):
            if not getattr(config, key):
                raise SpecError(f"has no {key}", where=place)
        if config.model_platform not in ("", "tensorflow") or config.model_type > 1:
            raise SpecError(
                f"'{config.model_platform or 'OTHER'}' cannot be explained here",
                where=place,
                hint='write model_platform: "tensorflow"',
            )
        if config.name in models:
            raise SpecError(f"two models are called '{config.name}'", where=place)
        unused = [key for key in _UNUSED if key in {it.name for it, _ in config.ListFields()}]
        if unused:
            names = " and ".join(unused)
            what = f"{names} of '{config.name}' have no meaning here, where versions are numbers"
            say(Notice(what, where))
        root = file.parent / config.base_path
        models[config.name] = entry(config.name, root, _policy(config.model_version_policy))
    if not models:
        raise SpecError(
            "names no models", where=where, hint="write model_config_list { config { … } }"
        )
    return list(models.values())


def _policy(written: Any) -> Policy:
    choice = written.WhichOneof("policy_choice")
    if choice == "all":
        return every()
    if choice == "specific":
        return only(list(written.specific.versions))
    return latest(written.latest.num_versions or 1)


def _parsed(file: Path) -> Any:
    """Return a file as a message. Raises SpecError."""
    from google.protobuf import text_format

    where = Where(file=str(file))
    made = _message_class()
    try:
        text = read_text(file)
        return text_format.Parse(text, made(), descriptor_pool=made.DESCRIPTOR.file.pool)
    except text_format.ParseError as error:
        at = Where(file=str(file), line=error.GetLine(), column=error.GetColumn())
        said = str(error).split(" : ", 1)[-1].replace("pellucid.serve.", "").strip()
        raise SpecError(f"is no model.config: {said}", where=at) from error
    except UnicodeDecodeError as error:
        raise SpecError("is no text in UTF-8", where=where) from error
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", where=where) from error


@cache
def _message_class() -> Any:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    document = FileDescriptorProto(name="model.config", package="pellucid.serve", syntax="proto3")
    kinds = document.enum_type.add(name="ModelType")
    for number, name in enumerate(("MODEL_TYPE_UNSPECIFIED", "TENSORFLOW", "OTHER")):
        kinds.value.add(name=name, number=number)
    for name, fields in _SCHEMA.items():
        message = document.message_type.add(name=name)
        for key, number, kind, repeated in fields:
            field = message.field.add(name=key, number=number)
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            field.type = getattr(field, f"TYPE_{kind.upper()}", field.TYPE_MESSAGE)
            if kind == "enum":
                field.type_name = ".pellucid.serve.ModelType"
            elif field.type == field.TYPE_MESSAGE:
                field.type_name = f".pellucid.serve.{kind}"
            if name == "ServableVersionPolicy":
                field.oneof_index = 0
        if name == "ServableVersionPolicy":
            message.oneof_decl.add(name="policy_choice")
    pool = DescriptorPool()
    pool.AddSerializedFile(document.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("pellucid.serve.ModelServerConfig"))
