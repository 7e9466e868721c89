"""Objects are listed in order, read whole or not at all, and a store that is busy is asked again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import DependencyError, InstanceError, OutputError
from pellucid.remote import copied, find, listed, matching, put, read, remove

KEYS = ["a/b.png", "a-b.png", "a/c/d.png", "a.png", "a/.hidden/x.png", ".h.png", "out/o.png"]


def fill(*keys: str) -> None:
    for key in keys:
        put(f"memory://bucket/{key}", key.encode(), OutputError)


def names(found: Any) -> list[str]:
    return [it.address.removeprefix("memory://bucket/") for it in found]


def test_objects_are_listed_by_their_names_without_what_is_hidden_or_avoided(memory: Any) -> None:
    fill(*KEYS)
    found = names(listed("memory://bucket", InstanceError, "memory://bucket/out"))
    assert found == ["a-b.png", "a.png", "a/b.png", "a/c/d.png"]
    everything = names(listed("memory://bucket/", InstanceError, hidden=True))
    assert everything == sorted(KEYS)


def test_a_star_ends_at_a_slash_and_two_do_not(memory: Any) -> None:
    fill(*KEYS)
    assert names(matching("memory://bucket/a/*.png", InstanceError)) == ["a/b.png"]
    assert names(matching("memory://bucket/a/**/*.png", InstanceError)) == ["a/b.png", "a/c/d.png"]


def test_another_object_under_the_same_name_has_another_version(memory: Any) -> None:
    fill("a")
    before = find("memory://bucket/a", InstanceError)
    put("memory://bucket/a", b"another", OutputError)
    after = find("memory://bucket/a", InstanceError)
    assert before is not None and after is not None and before.version != after.version
    assert find("memory://bucket/b", InstanceError) is None


def test_what_is_removed_may_be_gone_already(memory: Any) -> None:
    fill("a", "b")
    remove(["memory://bucket/a", "memory://bucket/a*", "memory://bucket/none"], OutputError)
    assert names(listed("memory://bucket", InstanceError)) == ["b"]


def test_a_copy_is_there_while_it_is_read(memory: Any) -> None:
    fill("a.csv")
    with copied("memory://bucket/a.csv", InstanceError) as path:
        assert path.read_bytes() == b"a.csv"
    assert not path.exists()


def test_less_than_all_of_an_object_is_an_error(memory: Any) -> None:
    fill("a")
    with pytest.raises(InstanceError, match=r"memory://bucket/a: the connection was lost in the "):
        read("memory://bucket/a", InstanceError, 100)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(status: int, web: Any) -> None:
    address = web.tells("/a", (status, b""), (status, b""), (200, b"here"))
    assert read(address, InstanceError) == b"here"
    busy = web.tells("/b", (status, b""))
    with pytest.raises(InstanceError, match=rf"/b: the server is busy \({status}\), also when it"):
        read(busy, InstanceError)
    assert web.asked.count("GET /b") == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"half", 1000), r"the connection was lost in the middle \(.*4 of 1000 bytes"),
        ((403, b""), r"access is refused \(403\)"),
        ((404, b""), "there is no such object"),
    ],
)
def test_what_a_server_does_not_give_is_one_sentence(answer: Any, said: str, web: Any) -> None:
    address = web.tells("/a.png?key=SECRET", answer)
    with pytest.raises(InstanceError, match=said) as caught:
        read(address, InstanceError)
    assert str(caught.value).startswith(f"{web.root}/a.png: ")
    assert "SECRET" not in str(caught.value)


def test_a_server_that_is_not_there_is_named(web: Any) -> None:
    web.server.server_close()
    with pytest.raises(InstanceError, match=r"/a: the server cannot be reached \(.*Connect call"):
        read(f"{web.root}/a", InstanceError)


def test_a_server_of_the_web_lists_nothing_and_takes_nothing(web: Any) -> None:
    with pytest.raises(InstanceError, match="does not list what is in a folder; name the files"):
        next(listed(f"{web.root}/a", InstanceError))
    with pytest.raises(OutputError, match="nothing is written to a server of the web"):
        put(f"{web.root}/a", b"", OutputError)
    assert not web.asked


@pytest.mark.parametrize(
    ("scheme", "package"), [("gs", "gcsfs"), ("az", "adlfs"), ("s3", "s3fs"), ("https", "aiohttp")]
)
def test_a_scheme_without_its_package_says_what_to_install(
    scheme: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pellucid.remote import stores

    monkeypatch.setattr(stores, "find_spec", lambda name: None if name == package else name)
    with pytest.raises(DependencyError, match=rf"{scheme}://b/k: .*; type pip install {package}$"):
        find(f"{scheme}://b/k", InstanceError)


def test_nothing_is_imported_for_paths() -> None:
    code = (
        "import sys; from pellucid_cli.main import cli; cli.main(['validate-metadata', '.'], "
        "standalone_mode=False); assert not {'fsspec', 's3fs', 'aiohttp'} & {*sys.modules}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


class NoCredentialsError(Exception):
    """As botocore calls it."""


def test_missing_credentials_say_which_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from pellucid.remote import stores

    class Store:
        def info(self, address: str) -> None:
            raise NoCredentialsError("Unable to locate credentials")

    monkeypatch.setattr(stores, "_store", lambda *_: Store())
    said = r"^s3://b/k: there are no credentials for s3://; set AWS_ACCESS_KEY_ID"
    with pytest.raises(InstanceError, match=said):
        find("s3://b/k", InstanceError)
