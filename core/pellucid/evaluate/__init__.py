"""How good explanations are: candidates against maps that know nothing of the model."""

from __future__ import annotations

from pellucid.evaluate.candidates import Candidate, candidate_of, candidates_of
from pellucid.evaluate.controls import CONTROLS, controls_of
from pellucid.evaluate.metrics import (
    CHANGED,
    MEASURES,
    REPEATED,
    SENSITIVITY,
    chosen_measures,
    rank_correlation,
    similarity,
)
from pellucid.evaluate.page import page_of
from pellucid.evaluate.report import EVALUATION, PAGE, write_files, write_report
from pellucid.evaluate.result import (
    Evaluation,
    Instance,
    Judged,
    LeftOut,
    Provenance,
    Shown,
    cell,
    control,
    encodable_document,
    packed,
    short,
)
from pellucid.evaluate.statistics import LEAST, TOO_FEW, Interval, difference, interval
from pellucid.evaluate.subject import Kind, Picture, Subject, subject_of
from pellucid.evaluate.trial import (
    RANDOMIZATION,
    Found,
    Measure,
    Metric,
    Repeats,
    Settings,
    Trial,
    leading,
)

__all__ = [
    "CHANGED",
    "CONTROLS",
    "EVALUATION",
    "LEAST",
    "MEASURES",
    "PAGE",
    "RANDOMIZATION",
    "REPEATED",
    "SENSITIVITY",
    "TOO_FEW",
    "Candidate",
    "Evaluation",
    "Found",
    "Instance",
    "Interval",
    "Judged",
    "Kind",
    "LeftOut",
    "Measure",
    "Metric",
    "Picture",
    "Provenance",
    "Repeats",
    "Settings",
    "Shown",
    "Subject",
    "Trial",
    "candidate_of",
    "candidates_of",
    "cell",
    "chosen_measures",
    "control",
    "controls_of",
    "difference",
    "encodable_document",
    "interval",
    "leading",
    "packed",
    "page_of",
    "rank_correlation",
    "short",
    "similarity",
    "subject_of",
    "write_files",
    "write_report",
]
