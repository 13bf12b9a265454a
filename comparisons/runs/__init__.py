"""A recorded run: its file, its names, and the experiment that it is of."""
