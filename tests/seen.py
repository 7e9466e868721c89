"""What is seen of a page: its texts, and how they stand out from their grounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

LEAST = 4.5

# Every text that is seen, its colour, and what it stands on: the first of its parents that has a
# ground. Pictures are no ground here; what stands on one has a ground of its own.
COLOURS = """
() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const open = document.querySelector("dialog[open]");
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility() || node.closest("script, noscript, style")) continue;
    if (node.closest(":disabled") || (open && !open.contains(node))) continue;
    const grounds = [];
    for (let up = node; up; up = up.parentElement) grounds.push(rgba(getComputedStyle(up).backgroundColor));
    found.push({ text: walk.currentNode.data.trim().slice(0, 40), ink: rgba(node.closest("svg") ? getComputedStyle(node).fill : getComputedStyle(node).color), grounds });
  }
  const field = document.querySelector("#search");
  if (field) found.push({ text: "placeholder", ink: rgba(getComputedStyle(field, "::placeholder").color),
    grounds: [rgba(getComputedStyle(field).backgroundColor)] });
  return found;
}
"""


def luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(ink: list[int], grounds: list[list[int]]) -> float:
    """The contrast ratio of an opaque text on grounds that lie over each other, nearest first."""
    below = (1.0, 1.0, 1.0)
    for *colour, alpha in reversed(grounds):
        below = tuple(
            c / 255 * alpha / 255 + b * (1 - alpha / 255)
            for c, b in zip(colour, below, strict=True)
        )  # type: ignore[assignment]
    light, dark = sorted((luminance(tuple(c / 255 for c in ink[:3])), luminance(below)))[::-1]
    return (light + 0.05) / (dark + 0.05)


def faint_texts(page: Page) -> dict[str, float]:
    """The texts whose contrast is below 4.5, with it."""
    found = page.evaluate(COLOURS)
    assert len(found) >= 6
    contrasts = {it["text"]: contrast(it["ink"], it["grounds"]) for it in found}
    return {text: ratio for text, ratio in contrasts.items() if ratio < LEAST}
