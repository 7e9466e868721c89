"""The commands of Pellucid: each is the guts of a program without its option parsing."""
