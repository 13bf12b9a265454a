"""Results on the terminal, for people, and in JSON files, for programs: one file for each command."""
