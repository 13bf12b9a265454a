"""What a command finds out."""
