"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_models"
SHARED = ROOT.parent / "shared"
"""Reference data that a user's clone does not have: tests that need it skip without."""
