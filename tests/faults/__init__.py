"""Wrong implementations, as people write them, and the diagnosis that each must get."""
