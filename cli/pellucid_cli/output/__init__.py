"""What the commands print: tables, findings, progress."""
