"""The commands of `python -m comparisons`: one file each, loaded when the command is called."""
