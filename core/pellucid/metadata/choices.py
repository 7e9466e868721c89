"""What settings of methods may be: the words for it, and numbers that are chosen for people."""

from __future__ import annotations

from enum import Enum

REGIONS = 200
"""About as many regions as a picture is cut into."""
WINDOWS = 20
"""A series is cut into so many windows, unless their length is given."""
FEW = 32
"""Columns of a table rather than pixels: so few are quick, one by one."""


class Segmentation(Enum):
    """The ways to cut a picture that KServe's explainer knew."""

    QUICKSHIFT = "quickshift"
    FELZENSZWALB = "felzenszwalb"
    SLIC = "slic"


class Players(Enum):
    """What Shapley values are given to: the elements of each tensor, or regions of a picture.

    Of a text, it is its words, unless it is whole; ``words`` takes all strings for texts. Of a
    series, it may be its channels, or windows of time.
    """

    ELEMENTS = "elements"
    REGIONS = "regions"
    WORDS = "words"
    WHOLE = "whole"
    CHANNELS = "channels"
    WINDOWS = "windows"


class Quadrature(Enum):
    """The rule by which the path integral is approximated."""

    GAUSS_LEGENDRE = "gauss-legendre"
    MIDPOINT = "midpoint"
    TRAPEZOID = "trapezoid"
