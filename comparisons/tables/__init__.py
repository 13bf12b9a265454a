"""Results as people read them, on the terminal, and as programs do, in JSON files: one file a command."""
