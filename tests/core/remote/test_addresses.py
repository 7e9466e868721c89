"""An address is told from a path, and nothing that it holds leads out of a folder here."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import InstanceError, SpecError
from pellucid.inputs.found import root_of
from pellucid.remote import Map, address_of, mapped, parts_below, shown_address


@pytest.mark.parametrize(
    "path", ["a/b", "/a://b", "C:\\x", "C:/x", "a=b", "s3:", "simplecache::s3://b/c", ""]
)
def test_a_path_is_no_address(path: str) -> None:
    assert address_of(path) is None
    assert address_of(Path(path)) is None


@pytest.mark.parametrize("path", ["s3://b/k", "S3://b/k", Path("s3://b/k"), "s3:/b/k"])
def test_an_address_is_one_whatever_a_path_made_of_its_slashes(path: str | Path) -> None:
    assert address_of(path) == "s3://b/k"


@pytest.mark.parametrize("scheme", ["hdfs", "ftp", "file", "git+ssh", "zip"])
def test_other_schemes_are_refused(scheme: str) -> None:
    with pytest.raises(InstanceError, match=r"are not read; those of gs://|is an address, not a"):
        address_of(f"{scheme}://a/b", InstanceError)


@given(st.text(st.sampled_from("./\\ab\0\n\u202e?#:*~"), max_size=12), st.sampled_from(["", "a"]))
def test_the_place_of_a_key_is_below_the_folder_and_its_own(key: str, below: str) -> None:
    root = f"s3://b/{below}".rstrip("/")
    parts = parts_below(f"{root}/{key}", root)
    assert all(part not in ("", ".", "..") and "/" not in part for part in parts)
    assert all(character.isprintable() for part in parts for character in part)
    inside = os.path.normpath("/out/" + "/".join(parts))
    assert inside == "/out/" + "/".join(parts)
    assert parts != parts_below(f"{root}/{key}x", root)


def test_keys_that_a_path_would_take_for_one_another_have_places_of_their_own() -> None:
    keys = ["a/b", "a//b", "a/./b", "a/../b", "b", "../b", "/b", "a\\b", "a/b/"]
    places = {"/".join(parts_below(f"s3://k/{it}", "s3://k")) for it in keys}
    assert len(places) == len(keys)


def test_what_is_secret_in_an_address_of_the_web_is_not_shown() -> None:
    secret = "https://me:word@host/a/b.csv?X-Signature=abc#d"
    assert shown_address(secret) == "https://host/a/b.csv"
    assert parts_below(secret, "https://host/a") == ["b.csv"]
    assert shown_address("s3://b/what?.csv") == "s3://b/what?.csv"


@pytest.mark.parametrize(
    ("named", "root"),
    [
        (["s3://b/in"], "s3://b/in"),
        (["s3://b/in/"], "s3://b/in"),
        (["s3://b/in/a.png"], "s3://b/in"),
        (["s3://b/in/x/a.png", "s3://b/in/y/b.png"], "s3://b/in"),
        (["s3://b/in", "s3://c/in"], "s3://"),
        (["s3://b/in/**/*.png"], "s3://b/in"),
        (["s3://b"], "s3://b"),
    ],
)
def test_the_root_of_addresses_is_what_they_share(named: list[str], root: str) -> None:
    assert root_of(named, ()) == root


def test_addresses_of_several_stores_are_placed_by_all_of_them(tmp_path: Path) -> None:
    root = root_of(["s3://b/a.png", "gs://b/a.png"], ())
    places = [parts_below(it, root) for it in ("s3://b/a.png", "gs://b/a.png")]
    assert places == [["s3", "b", "a.png"], ["gs", "b", "a.png"]]
    assert root_of([str(tmp_path), "s3://b/a.png"], ()) == str(tmp_path)


def test_a_map_takes_what_lies_at_an_address_from_a_directory(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    maps = [Map.parse(f"gs://b={tmp_path}"), Map.parse(f"gs://b/x={tmp_path / 'deep'}")]
    assert mapped("gs://b/a/c.csv", maps) == f"{tmp_path}/a/c.csv"
    assert mapped("gs://b/x/c.csv", maps) == f"{tmp_path}/deep/c.csv"
    assert mapped("gs://b", maps) == str(tmp_path)
    for other in ("gs://bb/a", "s3://b/a", "/b/a", "b"):
        assert mapped(other, maps) == other
    assert PurePosixPath(mapped("gs://b/xy/c.csv", maps)).parent.name == "xy"


@pytest.mark.parametrize("key", ["../up", "a/../../up", "a//b", "a/\n"])
def test_a_map_leads_nowhere_else(key: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="leads out of"):
        mapped(f"gs://b/{key}", [Map.parse(f"gs://b={tmp_path}")])


@pytest.mark.parametrize("written", ["gs://b", "b=x", "gs://b="])
def test_a_map_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(SpecError, match="is not ADDRESS=DIR"):
        Map.parse(written)
