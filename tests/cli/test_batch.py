"""``pellucid batch``: a folder in, a folder out, and what a bad input costs."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pellucid.files import name_of
from pellucid.gallery import read_entries


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


RESULTS = "explanation.results-00000-of-00001"


def test_a_folder_of_photos(program: Any, samples: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for place, name in (("a.jpg", "cat"), ("deep/b.jpg", "coffee"), ("z.jpg", "rocket")):
        shutil.copy(samples / f"photos/images/{name}.jpg", source / place)
    (source / "notes.txt").write_text("not an input")
    (source / ".hidden.jpg").write_text("not an input either")
    out = tmp_path / "out"
    run = program("batch", samples / "photos/model", source, "-o", out, "--steps", 10)
    assert run.code == 0 and run.out == b""
    assert run.err.endswith(f"{out}: 3 explained, 0 failed\n")
    found = lines(out / RESULTS)
    assert [Path(line["instance"]).relative_to(source).as_posix() for line in found] == [
        "a.jpg", "deep/b.jpg", "z.jpg"
    ]  # fmt: skip
    names = [line["explanation"]["attributions_by_label"][0]["label_name"] for line in found]
    assert names == ["cat", "coffee", "rocket"]
    assert [int(np.argmax(line["prediction"])) for line in found] == [2, 3, 6]
    for place in ("a.jpg", "deep/b.jpg", "z.jpg"):
        with (
            Image.open(out / "overlays" / f"{place}.png") as overlay,
            Image.open(source / place) as photo,
        ):
            assert overlay.size == photo.size
    assert [line["overlays"] for line in found] == [
        {"image": f"overlays/{place}.png"} for place in ("a.jpg", "deep/b.jpg", "z.jpg")
    ]
    assert (out / "errors.jsonl").read_text() == ""
    summary = json.loads((out / "summary.json").read_text())
    assert summary["explained"] == 3 and summary["failed"] == 0
    made = summary["provenance"]
    assert made["model"] == summary["plan"]["model"] and made["inputs"]["image"]["pixels"]
    method = made["parameters"]["integratedGradientsAttribution"]
    assert (method["stepCount"], method["quadrature"]) == (10, "GAUSS_LEGENDRE")
    settings = summary["plan"]["settings"]
    assert settings["parameters"] == made["parameters"]
    assert "Quadrature." not in json.dumps(summary)
    assert set(summary["approxError"]) == {"median", "p95", "max"}


def test_the_lines_of_a_file_name_their_overlays_and_the_gallery_finds_them_again(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    digits = [[[level] * 28] * 28 for level in (0.5, 1.0)]
    for name in ("a", "b"):
        rows = [json.dumps({"image": digit}) + "\n" for digit in digits]
        (tmp_path / f"{name}.jsonl").write_text("".join(rows))
    out = tmp_path / "out"
    named = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    run = program("batch", samples / "digits/model", *named, "-o", out, "--steps", 4, "-q")
    assert run.code == 0, run.err
    wanted = [f"overlays/{file}.jsonl.{row}.png" for file in "ab" for row in (0, 1)]
    assert [line["overlays"] for line in lines(out / RESULTS)] == [{"image": it} for it in wanted]
    assert [entry.overlay for entry in read_entries(out)] == wanted
    pictureless = tmp_path / "pictureless"
    program(
        "batch", samples / "digits/model", *named, "-o", pictureless, "--steps", 4, "--no-overlays"
    )
    assert not any("overlays" in line for line in lines(pictureless / RESULTS))


def bomb() -> bytes:
    """A PNG of 50,000 × 50,000 black pixels in a few megabytes, or none of them: in 3 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(3_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_folder_with_broken_files_loses_exactly_those_and_names_each(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    images = sorted((samples / "digits/images").iterdir())
    good = []
    for number in range(160):
        good.append(source / f"{number:03d}.png")
        shutil.copy(images[number % len(images)], good[-1])
    odd = [os.fsencode(source / "x") + name for name in (b" \n .png", b"\xff.png", b"\\n.png")]
    for name in odd:
        shutil.copy(images[0], name)
    long = source / ("ä" * 125 + ".png")
    shutil.copy(images[0], long)
    good.append(long)
    bad = {
        "a_empty.png": "the file is empty",
        "b_truncated.png": "the picture is damaged",
        "c_text.jpg": "not a picture",
        "d_folder.jpg": "is a directory, not a file",
        "e_link.png": f"is a link to {source}/gone.png, which does not exist",
        "f_bomb.png": "the picture has more than 89,478,485 pixels",
        "g_pdf.webp": "not a picture",
    }
    (source / "a_empty.png").write_bytes(b"")
    (source / "b_truncated.png").write_bytes(images[0].read_bytes()[:100])
    (source / "c_text.jpg").write_text("no picture")
    (source / "d_folder.jpg").mkdir()
    (source / "e_link.png").symlink_to(source / "gone.png")
    (source / "f_bomb.png").write_bytes(bomb())
    (source / "g_pdf.webp").write_bytes(b"%PDF-1.7\n%\xff\xff")
    broken_name = os.fsencode(source) + b"/z\n\xfe.png"
    Path(os.fsdecode(broken_name)).write_bytes(b"nothing")
    bad[r"z\n\xfe.png"] = "not a picture"
    out = tmp_path / "out"
    run = program("batch", samples / "digits/model", source, "-o", out, "-q", "--steps", 5)
    assert run.code == 1 and run.err == ""
    errors = lines(out / "errors.jsonl")
    assert [line["input"] for line in errors] == [f"{source}/{name}" for name in bad]
    for line, reason in zip(errors, bad.values(), strict=True):
        assert line["error"].startswith(f"{line['input']}: {reason}")
    found = [name_of(line["instance"]) for line in lines(out / RESULTS)]
    assert sorted(map(os.fsencode, found)) == sorted([*map(os.fsencode, good), *odd])
    assert len(list((out / "overlays").iterdir())) == len(good) + len(odd)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["explained"], summary["failed"]) == (164, 8)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads files whatever their mode")
def test_a_file_that_must_not_be_read_is_named(program: Any, samples: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(samples / "digits/images/two.png", tmp_path / "two.png"))
    path.chmod(0)
    run = program("batch", samples / "digits/model", path, "-o", tmp_path / "out")
    assert run.code == 1 and f"{path}: cannot be read (Permission denied)" in run.err


def test_a_bad_line_in_a_file_of_many(program: Any, samples: Path, tmp_path: Path) -> None:
    rows = json.loads((samples / "diabetes/instances.json").read_text())["instances"]
    table = tmp_path / "rows.jsonl"
    bad = [rows[0], "nothing", rows[1], [1, 2], rows[2]]
    table.write_text("\n".join(json.dumps(row) for row in bad) + "\n")
    out = tmp_path / "out"
    run = program("batch", samples / "diabetes/model", table, "-o", out)
    assert run.code == 1
    assert len(lines(out / RESULTS)) == 3 and len(lines(out / "errors.jsonl")) == 2
    # What came through is what explain says of the good rows alone.
    good = tmp_path / "good.json"
    good.write_text(json.dumps({"instances": rows[:3]}))
    alone = json.loads(program("explain", samples / "diabetes/model", good).out)["explanations"]
    got = [line["explanation"] for line in lines(out / RESULTS)]
    for one, other in zip(got, alone, strict=True):
        a, b = (e["attributions_by_label"][0]["attributions"] for e in (one, other))
        for name in b:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-4)
    summary = json.loads((out / "summary.json").read_text())
    (of_one,) = summary["meanAttributions"].values()
    means = {name: value[0] for name, value in of_one.items()}
    for name, mean in means.items():
        each = [e["attributions_by_label"][0]["attributions"][name][0] for e in got]
        assert mean == pytest.approx(np.mean(each), abs=1e-9)


def test_a_table_is_explained_row_by_row(program: Any, samples: Path, tmp_path: Path) -> None:
    instances = json.loads((samples / "wine/instances.json").read_text())["instances"]
    names = list(instances[0])
    table = tmp_path / "wine.csv"
    table.write_text(
        "\n".join([",".join(names), *(",".join(str(i[n]) for n in names) for i in instances)])
    )
    out = tmp_path / "out"
    run = program("batch", samples / "wine/model", table, "-o", out, "--limit", 2)
    assert run.code == 0, run.err
    assert len(lines(out / RESULTS)) == 2


def test_a_folder_that_is_not_empty_is_not_written_into(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    run = program("batch", samples / "wine/model", samples / "wine/instances.json", "-o", tmp_path)
    assert run.code == 2
    assert run.err == f"error: {tmp_path}: is not empty; add --force to write into it\n"
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_folder_without_inputs_is_said_to_be(program: Any, samples: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    run = program("batch", samples / "wine/model", empty, "-o", tmp_path / "out")
    assert run.code == 1
    assert run.err == (
        f"error: {empty}: holds no input; inputs are pictures, and .json, .jsonl, .csv, .tsv, .parquet, .tfrecord and .npy files, and .txt files for a model of texts\n"
    )


def test_a_list_of_names_and_stdin_are_inputs(program: Any, samples: Path, tmp_path: Path) -> None:
    instances = json.loads((samples / "wine/instances.json").read_text())["instances"]
    text = "\n".join(map(json.dumps, instances)).encode()
    command = ["batch", samples / "wine/model", "-o", tmp_path / "out"]
    run = program(*command, "-", stdin=text)
    assert run.code == 0, run.err
    assert [line["instance"] for line in lines(tmp_path / "out" / RESULTS)] == instances
    assert program(*command, "-", stdin=text).err.endswith("--force starts over\n")
    other = program(*command, "-", stdin=text.replace(b".", b".1", 1))
    assert other.code == 2 and "some inputs have changed since" in other.err
    names = b"\0".join(os.fsencode(samples / "wine" / "instances.json") for _ in range(2))
    run = program(*command, "--files-from", "-", "-0", "--force", stdin=names)
    assert run.code == 0, run.err
    assert len(lines(tmp_path / "out" / RESULTS)) == len(instances)
    run = program(*command, "-", "--files-from", "-")
    assert run.code == 2 and "stdin can be read only once" in run.err
    assert "no input: name files" in program(*command).err


def test_too_many_errors_stop_the_run(program: Any, samples: Path, tmp_path: Path) -> None:
    rows = json.loads((samples / "diabetes/instances.json").read_text())["instances"]
    table = tmp_path / "rows.jsonl"
    table.write_text("\n".join(json.dumps(it) for it in [rows[0], 1, 2, 3, *rows[:3] * 4]))
    command = ["batch", samples / "diabetes/model", table, "-o", tmp_path / "out"]
    run = program(*command, "--block-size", 2, "--fail-fast")
    assert run.code == 1
    assert "of 16: too many failures; the same command with a higher --max-errors goes" in run.err
    assert not (tmp_path / "out/summary.json").exists()
    run = program(*command, "--block-size", 2, "--max-errors", 3)
    assert run.code == 1 and run.err.endswith("out: 13 explained, 3 failed\n"), run.err


def test_progress_as_json(program: Any, samples: Path, tmp_path: Path) -> None:
    table = tmp_path / "rows.jsonl"
    rows = json.loads((samples / "diabetes/instances.json").read_text())["instances"]
    table.write_text("\n".join(json.dumps(it) for it in [rows[0], 1, rows[1]]))
    run = program("batch", samples / "diabetes/model", table, "-o", tmp_path / "out", "--json-log")
    events = [json.loads(line) for line in run.err.splitlines()]
    assert [it["event"] for it in events] == ["begin", "failure", "end"]
    assert events[0]["total"] == 3 and events[1]["input"] == f"{table}:2"
    assert (events[2]["done"], events[2]["failed"], events[2]["stopped"]) == (3, 1, None)


def test_a_request_brings_its_own_settings(program: Any, samples: Path, tmp_path: Path) -> None:
    instances = json.loads((samples / "wine/instances.json").read_text())["instances"]
    for name, top_k in (("one", 1), ("three", 3), ("wrong", "?")):
        override = {"parameters": {"topK": top_k}}
        document = {"instances": instances[:2], "explanationSpecOverride": override}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    named = [tmp_path / f"{name}.json" for name in ("one", "three", "wrong")]
    run = program("batch", samples / "wine/model", *named, "-o", tmp_path / "out")
    assert run.code == 1
    counts = [
        len(line["explanation"]["attributions_by_label"])
        for line in lines(tmp_path / "out" / RESULTS)
    ]
    assert counts == [1, 1, 3, 3]
    errors = lines(tmp_path / "out/errors.jsonl")
    assert [line["input"] for line in errors] == [f"{named[2]}: instances[{i}]" for i in (0, 1)]
    assert all("topK" in line["error"] for line in errors)


def test_an_instance_that_the_model_cannot_take_is_left_out_of_its_block(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    rows = json.loads((samples / "diabetes/instances.json").read_text())["instances"]
    table = tmp_path / "rows.jsonl"
    hopeless = [3e38] * 10
    table.write_text("\n".join(json.dumps(it) for it in [rows[0], hopeless, rows[1], hopeless]))
    run = program("batch", samples / "diabetes/model", table, "-o", tmp_path / "out")
    assert run.code == 1
    errors = lines(tmp_path / "out/errors.jsonl")
    assert [line["input"] for line in errors] == [f"{table}:2", f"{table}:4"]
    assert all(f"{it['input']}: the model's output is not finite" in it["error"] for it in errors)
    good = tmp_path / "good.jsonl"
    good.write_text("\n".join(json.dumps(it) for it in rows[:2]))
    program("batch", samples / "diabetes/model", good, "-o", tmp_path / "other")
    assert lines(tmp_path / "out" / RESULTS) == lines(tmp_path / "other" / RESULTS)


def test_overlays_are_of_the_format_that_is_asked_for(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    for form, suffix in (("jpeg", "jpg"), ("png", "png")):
        out = tmp_path / form
        run = program("batch", digits, seven, "-o", out, "--steps", 2, "--overlay-format", form)
        assert run.code == 0, run.err
        with Image.open(out / "overlays" / f"seven.png.{suffix}") as overlay:
            assert overlay.format == form.upper()
            # 4:4:4, or outlines of one pixel smear.
            layers = {it[1:3] for it in getattr(overlay, "layer", [])}
            assert layers == ({(1, 1)} if form == "jpeg" else set())


def test_texts_are_explained_word_by_word(program: Any, samples: Path, tmp_path: Path) -> None:
    """Through strings goes no gradient, and the method asks for none."""
    model = tmp_path / "model"
    hidden = shutil.ignore_patterns("explanation_metadata.json")
    shutil.copytree(samples / "code_or_prose" / "model", model, ignore=hidden)
    texts = tmp_path / "texts.jsonl"
    rows = ["def main(x): return x + 1", "The old man went to the sea"]
    texts.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    out = tmp_path / "out"
    run = program(
        "batch", model, texts, "-o", out, "--signature", "serving_default",
        "--method", "sampled-shapley",
    )  # fmt: skip
    assert run.code == 0
    (results,) = out.glob("explanation.results-*")
    found = [line["explanation"] for line in lines(results)]
    words = [
        [it["word"] for it in explanation["diagnostics"][0]["words"]["text"]]
        for explanation in found
    ]
    assert words == [["def", "main", "x", "return", "x", "1"], rows[1].split()]
    for explanation, row in zip(found, words, strict=True):
        (label,) = explanation["attributions_by_label"]
        values = label["attributions"]["text"]
        gained = label["example_score"] - label["baseline_score"]
        assert len(values) == len(row) and abs(sum(values) - gained) < 1e-6


def test_what_counts_is_said_and_drawn_class_by_class(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    """In blocks of 50; and the gallery shows the pictures."""
    out = tmp_path / "out"
    rows = samples / "wine/examples.csv"
    run = program(
        "batch", samples / "wine/model", rows, "-o", out, "--top-k", 2, "--block-size", 50
    )
    assert run.code == 0
    summary = json.loads((out / "summary.json").read_text())
    found: dict[str, list[dict[str, float]]] = {}
    for line in lines(out / RESULTS):
        for label in line["explanation"]["attributions_by_label"]:
            values = {name: value[0] for name, value in label["attributions"].items()}
            found.setdefault(label["label_name"], []).append(values)
    assert sum(map(len, found.values())) == 2 * 124
    assert summary["instancesByClass"] == {name: len(found[name]) for name in sorted(found)}
    assert list(summary["instancesByClass"]) == ["cultivar_1", "cultivar_2", "cultivar_3"]
    for name, each in found.items():
        for feature in each[0]:
            values = np.array([it[feature] for it in each])
            mean, size = (
                summary[key][name][feature][0]
                for key in ("meanAttributions", "meanAbsoluteAttributions")
            )
            assert mean == pytest.approx(values.mean(), abs=1e-6)
            assert size == pytest.approx(np.abs(values).mean(), abs=1e-6)
    pictures = sorted(it.name for it in (out / "summary").iterdir())
    assert pictures[:2] == ["00.importance.png", "01.beeswarm.cultivar_1.png"]
    assert len(pictures) == 1 + 3 * 4
    page = (out / "index.html").read_text()
    assert page.count('<img loading="lazy" src="summary/') == len(pictures)
    # Over again, nothing of it is left that the new run does not have.
    again = program(
        "batch", samples / "digits/model", samples / "digits/images", "-o", out, "--force"
    )
    assert again.code == 0
    assert not (out / "summary").exists()
