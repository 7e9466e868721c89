"""Tables whose rows are time steps: what their columns are, and when each step was."""

from __future__ import annotations

from pellucid.inputs.series.step_columns import are_steps, is_time, step_columns
from pellucid.inputs.series.times import TIME, read_times, times_notes

__all__ = ["TIME", "are_steps", "is_time", "read_times", "step_columns", "times_notes"]
