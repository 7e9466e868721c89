"""Bad input: one sentence, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from forked import Forks


def check_refused(run: Any, code: int, sentence: str) -> None:
    assert run.code == code
    assert run.err == f"error: {sentence}\n"
    if code == 1:
        assert json.loads(run.out) == {"error": sentence}
    else:
        assert run.out == b""


def test_a_missing_or_truncated_model(
    program: Any, digits: Path, seven: Path, tmp_path: Path, copy_of: Any
) -> None:
    gone = tmp_path / "gone"
    check_refused(
        program("explain", gone, seven),
        2,
        f"{gone}: does not exist; give the directory that holds saved_model.pb",
    )
    gone.mkdir()
    check_refused(
        program("explain", gone, seven),
        2,
        f"{gone}: has no saved_model.pb or saved_model.pbtxt, so it is not a SavedModel; "
        "export one with model.export(...) or tf.saved_model.save(...)",
    )
    model = copy_of(digits)
    pb = model / "saved_model.pb"
    pb.write_bytes(pb.read_bytes()[:3000])
    check_refused(
        program("explain", model, seven),
        2,
        f"{pb}: is truncated or damaged, it cannot be read as a SavedModel; copy or export the "
        "model again",
    )


def test_absent_variables(
    program: Any, digits: Path, seven: Path, tmp_path: Path, copy_of: Any
) -> None:
    model = copy_of(digits)
    shutil.rmtree(model / "variables")
    check_refused(
        program("explain", model, seven),
        2,
        f"{model}/variables: does not exist, and the graph has variables; copy it beside the model",
    )


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            ("--tag-set", "train"),
            "{model}: has no graph tagged 'train'; choose a tag set that exists: 'serve'",
        ),
        (
            ("--signature", "serving_defalt"),
            "signature 'serving_defalt' does not exist; the model has 'serve', 'serving_default'; "
            "did you mean 'serving_default'?",
        ),
        (
            ("--output", "output_1"),
            "'output_1' is not a tensor of the model; did you mean 'output_0'?",
        ),
        (
            ("--output-index", "44"),
            "outputIndices: 44 is outside the output, whose shape for one instance is [10]",
        ),
        (("--top-k", "0"), "top_k: 0 is out of range, must be 1 or more, or -1 for all"),
    ],
)
def test_what_the_model_does_not_have(
    program: Any, digits: Path, seven: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    check_refused(program("explain", digits, seven, *arguments), 2, sentence.format(model=digits))


def test_a_gpu_that_is_not_there_is_not_replaced_by_the_cpu_in_silence(
    digits: Path, seven: Path, forks: Forks
) -> None:
    """In a process of its own, from which every GPU is hidden."""
    run = subprocess.run(
        [forks.command, "explain", str(digits), str(seven), "--device", "gpu"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2 and run.stdout == ""
    assert run.stderr == (
        "error: device 'gpu': TensorFlow sees no GPU; it needs NVIDIA's driver and pip install "
        "'pellucid[gpu]', or choose --device cpu\n"
    )


@pytest.mark.parametrize(
    "device, visible, seen",
    [
        ("cpu", None, "-1"),
        ("gpu:1", None, "1"),
        ("gpu:1", "4,7", "7"),
        ("gpu", "4,7", "4,7"),
        ("auto", None, None),
    ],
)
def test_the_chosen_device_is_the_only_one_that_tensorflow_sees(
    monkeypatch: pytest.MonkeyPatch, device: str, visible: str | None, seen: str | None
) -> None:
    from pellucid_cli.options.device import choose_device

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert choose_device(device) == device.partition(":")[0]
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == seen


def test_an_unknown_tensor_name_and_broken_json_in_the_metadata(
    program: Any, digits: Path, seven: Path, tmp_path: Path, copy_of: Any
) -> None:
    model = copy_of(digits)
    metadata = model / "explanation_metadata.json"
    text = metadata.read_text()
    metadata.write_text(text.replace("serving_default_image:0", "serving_default_imge:0"))
    check_refused(
        program("explain", model, seven),
        2,
        f"{metadata}: inputs.image.input_tensor_name: 'serving_default_imge:0' is not a tensor of "
        "the model; did you mean 'serving_default_image:0'? [MD102 unknown-tensor]",
    )
    metadata.write_text('{"inputs": {,}')
    check_refused(
        program("explain", model, seven),
        2,
        f"{metadata}:1:13: expected a key in double quotes, found ',' [MD001 json-syntax]",
    )


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("r.json", b'{"instances": [1, 2', "{path}:1:20: not JSON: Expecting ',' delimiter"),
        (
            "r.json",
            b'{"instances": [[1, 2], [3, 4]]}',
            "{path}: instances[0]: input 'image' is float32 [28, 28], got a list of shape [2]",
        ),
        ("p.png", b"\x89PNG\r\n\x1a\nrubbish", None),
        ("r.json", b"", "{path}: the file is empty"),
        ("r.jsonl", b'{"image": 3}\n', "{path}:1.image: input 'image' is float32 [28, 28], "
         "got a single value, 3"),
    ],
)  # fmt: skip
def test_an_input_that_does_not_fit(
    program: Any, digits: Path, tmp_path: Path, name: str, content: bytes, sentence: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    run = program("explain", digits, path)
    if sentence is None:
        assert run.code == 1 and run.err.startswith(f"error: {path}: ") and run.err.count("\n") == 1
    else:
        check_refused(run, 1, sentence.format(path=path))


def test_one_bad_instance_leaves_no_explanations(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    """If explanation fails for any instance, the response body contains no explanations."""
    request = json.loads((samples / "diabetes/instances.json").read_text())
    request["instances"][2][4] = "many"
    path = tmp_path / "r.json"
    path.write_text(json.dumps(request))
    out = tmp_path / "out.json"
    run = program("explain", samples / "diabetes/model", path, "-o", out)
    sentence = f"{path}: instances[2][4]: input 'patient' is float32 [10], got the string \"many\""
    assert run.code == 1 and run.out == b"" and run.err == f"error: {sentence}\n"
    assert json.loads(out.read_text()) == {"error": sentence}


def test_a_directory_where_a_file_was_meant_and_an_unwritable_output(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    check_refused(
        program("explain", digits, tmp_path), 1, f"{tmp_path}: is a directory; name the files in it"
    )
    check_refused(
        program("explain", digits, seven, "-o", tmp_path),
        2,
        f"{tmp_path}: is a directory; name a file in it",
    )
    nowhere = tmp_path / "no" / "x.json"
    check_refused(
        program("explain", digits, seven, "-o", nowhere),
        2,
        f"{nowhere}: cannot be written: there is no directory {nowhere.parent}",
    )


def test_a_disk_that_is_full_leaves_nothing_behind(
    program: Any, digits: Path, seven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    out = tmp_path / "x.json"
    run = program("explain", digits, seven, "-o", out)
    assert run.code == 2
    assert run.err == f"error: {out}: cannot be written: No space left on device\n"
    assert list(tmp_path.iterdir()) == []


def test_traceback_is_shown_only_when_asked_for(program: Any, seven: Path, tmp_path: Path) -> None:
    quiet = program("explain", tmp_path, seven)
    loud = program("--traceback", "explain", tmp_path, seven)
    assert "Traceback" not in quiet.err and "Traceback" in loud.err
    assert loud.err.endswith(quiet.err) and quiet.code == loud.code == 2


def test_an_unknown_option_or_command_names_the_nearest(program: Any, digits: Path) -> None:
    run = program("explain", digits, "--stps", 3)
    assert run.code == 2 and "--steps" in run.err
    run = program("explan")
    assert run.code == 2 and "explain" in run.err


def test_a_closed_pipe_is_one_sentence(samples: Path, forks: Forks) -> None:
    """The reader takes one line of a response that is larger than a pipe holds, and leaves."""
    photos = samples / "photos"
    images = sorted((photos / "images").iterdir())
    command = [
        forks.command,
        "explain",
        str(photos / "model"),
        *map(str, images * 3),
        "--steps",
        "2",
        "-q",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    os.read(process.stdout.fileno(), 10)
    process.stdout.close()
    assert process.stderr is not None
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(600) == 141
    assert error == "error: the output was closed before all of it was written\n"


def test_control_c_is_one_sentence_and_leaves_no_file(
    program: Any, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pellucid.runtime.model import TensorFlowModel

    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("nobody has heard it")

    monkeypatch.setattr(TensorFlowModel, "path_gradient", interrupted)
    # A shell starts what runs in the background with the signal ignored, and so its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        wine = samples / "wine"
        run = program("explain", wine / "model", wine / "instances.json", "-o", tmp_path / "x.json")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (run.code, run.out) == (130, b"")
    assert run.err.strip() == "error: interrupted"  # on a line of its own, after the ^C
    assert list(tmp_path.iterdir()) == []
