"""Words on coloured ground: readable, escaped, and the same in both forms."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from pellucid.visualize.named_parts import Text
from pellucid.visualize.text_highlight import Section, grounds, page, picture


def section(words: list[str], weights: list[float], **given: Any) -> Section:
    gaps = ("", *(" ",) * (len(words) - 1))
    text = Text(
        **{
            "feature": "text",
            "words": tuple(words),
            "attributions": np.array(weights),
            "gaps": gaps,
            **given,
        }
    )
    return Section(text=text, title="prose: 0.9", subtitle="LIME\nR² 0.5")


class Read(HTMLParser):
    """What a browser would read: the text, the ground of each span, and what it loads."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.spans: list[tuple[str, str]] = []
        self.loads: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        given = dict(attrs)
        self.loads += [v for k, v in attrs if k in ("src", "href")]
        if tag == "span":
            self.spans.append((given["style"].removeprefix("background:"), ""))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "span" in self.open:
            color, word = self.spans[-1]
            self.spans[-1] = (color, word + data)
        if "p" in self.open:
            self.text += data


WORDS = ["<script>alert(1)</script>", '"&quot;"', "日本語", "plain"]


def test_a_page_shows_what_was_said_and_loads_nothing() -> None:
    read = Read(page([section(WORDS, [1.0, -2.0, 0.0, 0.5], rest=" <b>unseen</b>")]))
    assert [word for _, word in read.spans] == WORDS
    assert " ".join(WORDS) + " <b>unseen</b>" in read.text
    assert not read.loads and "script" not in read.open


def test_green_is_for_and_pink_against_and_white_nothing() -> None:
    colors = grounds(np.array([2.0, -2.0, 1.0, 0.0])).astype(int)
    assert colors[0, 1] > colors[0, [0, 2]].max() and colors[1, 1] < colors[1, [0, 2]].min()
    assert colors[3].tolist() == [255, 255, 255]
    # Half as much is half as far from white, but for the steps of the colour map.
    assert colors[2].sum() > colors[0].sum()
    assert (grounds(np.zeros(3)) == 255).all() and not len(grounds(np.zeros(0)))


def test_dark_letters_are_readable_on_every_ground() -> None:
    def luminance(color: Any) -> Any:
        unit = np.asarray(color) / 255
        linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    every = luminance(grounds(np.linspace(-1, 1, 201)))
    contrast = (every + 0.05) / (luminance([32, 33, 36]) + 0.05)
    assert contrast.min() > 4.5  # WCAG 2.2, AA


@pytest.mark.parametrize(
    "words", [["a"], ["word"] * 300, ["x" * 500], ["", "a"], ["two\nlines", "\t"]]
)
def test_a_picture_breaks_lines_and_keeps_its_margins(words: list[str]) -> None:
    made = picture(section(words, [(-1.0) ** i for i in range(len(words))]))
    assert made.shape[1] == 760
    for edge in (made[:10], made[-6:], made[:, :12], made[:, -12:]):
        assert (edge == 255).all()


def test_a_picture_has_the_ground_of_each_word() -> None:
    made = picture(section(["good", "bad"], [1.0, -1.0])).reshape(-1, 3)
    for color in grounds(np.array([1.0, -1.0])):
        assert (made == color).all(1).sum() > 200


def test_line_breaks_of_the_text_are_kept() -> None:
    one = picture(section(["a", "b"], [1.0, 1.0]))
    two = picture(section(["a", "b"], [1.0, 1.0], gaps=("", "\n")))
    assert two.shape[0] == one.shape[0] + 30
