"""The commands of `python -m comparisons`: a file each, loaded when it is asked for."""
