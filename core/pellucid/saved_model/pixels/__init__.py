"""What a model takes for a picture: pixel range, channel order and layout, read off its graph."""

from pellucid.saved_model.pixels.find import Pixels, find_pixels

__all__ = ["Pixels", "find_pixels"]
