"""The rules whose fault no document shows, since it lies in files."""

# What is wrong here is not in the JSON, so that a page can only describe it.
UNWRITTEN = {
    *("MD004", "MD005", "MD100", "MD112", "MD113", "MD114"),
    *("MD120", "MD121", "MD122", "MD123", "MD124", "MD125", "MD126", "MD127"),
    *("MD130", "MD131", "MD132", "MD140"),
}
