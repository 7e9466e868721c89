"""Hints at the command line: each setting that the library advises is a flag that is there."""

from __future__ import annotations

import re

import click
import pytest

from hints import hints, settings
from pellucid.notices import Advice
from pellucid_cli.flags import flag
from pellucid_cli.main import cli

FLAGS = {
    ("", "allow_unsafe_ops"): "--allow-unsafe-ops",
    ("", "baseline"): "--baseline",
    ("", "class_names"): "--class-names",
    ("", "blur_sigma"): "--blur-sigma",
    ("", "device"): "--device",
    ("", "for_method"): "--for",
    ("", "force"): "--force",
    ("", "latent"): "--latent",
    ("", "limit"): "--limit",
    ("", "logits"): "--logits",
    ("", "mask"): "--mask",
    ("", "max_steps"): "--max-steps",
    ("", "method"): "--method",
    ("", "noise_sigma"): "--noise-sigma",
    ("", "output"): "--output",
    ("", "output_indices"): "--output-index",
    ("", "paths"): "--paths",
    ("", "pixels"): "--pixels",
    ("", "players"): "--players",
    ("", "split"): "--split",
    ("", "id_column"): "--id-column",
    ("", "ignore_columns"): "--ignore-column",
    ("", "missing"): "--missing",
    ("", "query"): "--query",
    ("", "samples"): "--num-samples",
    ("", "segmentation"): "--segmentation",
    ("", "signature"): "--signature",
    ("", "spec"): "--spec",
    ("", "steps"): "--steps",
    ("", "tags"): "--tag-set",
    ("", "time_column"): "--time-column",
    ("", "timeout"): "--timeout",
    ("", "to"): "--to",
    ("", "tolerance"): "--tolerance",
    ("", "why_not"): "--why-not",
    ("", "window"): "--window",
    ("batch", "shard"): "pellucid batch --shard",
    ("explain", "raw"): "pellucid explain --raw",
    ("explain", "method"): "pellucid explain --method",
    ("index", "force"): "pellucid index --force",
    ("index", "latent"): "pellucid index --latent",
    ("index", "query"): "pellucid index --query",
    ("init_metadata", "for_method"): "pellucid init-metadata MODEL_DIR --for",
}


def test_every_setting_that_a_hint_names_is_a_flag() -> None:
    assert {(it.command, it.name): flag(it) for it in settings()} == FLAGS


@pytest.mark.parametrize("name", sorted({flag for (_, _), flag in FLAGS.items()}))
def test_a_flag_is_the_same_in_every_command_that_has_it(name: str) -> None:
    wanted = name.split()[-1]
    named = [
        option
        for command in cli.commands.values()
        for option in command.params
        if isinstance(option, click.Option) and wanted in option.opts
    ]
    assert named
    assert len({option.name for option in named}) == 1


@pytest.mark.parametrize("template", sorted(hints()))
def test_a_value_that_is_advised_is_one_that_the_flag_takes(template: str) -> None:
    options = {
        option.name: option
        for command in cli.commands.values()
        for option in command.params
        if isinstance(option, click.Option)
    }
    for advised in hints()[template].settings:
        option = options[{"tags": "tag_set"}.get(advised.name, advised.name)]
        # What stands in double braces is known only when the hint is given.
        given = f"{advised.name}:{{" not in template
        if given and advised.value is not None and not option.is_flag:
            option.type.convert(advised.value, option, None)
        assert option.is_flag == (advised.value is True) or advised.value is not True


@pytest.mark.parametrize(
    ("setting", "typed"),
    [
        (Advice("query", "fast"), "--query fast"),
        (Advice("signature", "my key"), "--signature 'my key'"),
        (Advice("tags", ("serve", "gpu")), "--tag-set serve,gpu"),
        (Advice("force", True), "--force"),
        (Advice("force", True, "index"), "pellucid index --force"),
        (Advice("output", None, "init_metadata"), "pellucid init-metadata MODEL_DIR --output"),
    ],
)
def test_a_setting_is_written_as_it_is_typed(setting: Advice, typed: str) -> None:
    assert flag(setting) == typed


def test_a_command_that_is_parsed_by_itself_changes_no_advice() -> None:
    """As `sample_models/contact_sheet.py` does: it is no run of the program."""
    cli.commands["visualize"].make_context("visualize", ["a_model", "photo.jpg"])
    advice = Advice("for_method", None, "init_metadata")
    assert flag(advice) == "pellucid init-metadata MODEL_DIR --for"


def test_no_hint_is_left_in_the_words_of_python() -> None:
    for hint in hints().values():
        assert not re.search(r"\w=", hint.sentence(flag))
