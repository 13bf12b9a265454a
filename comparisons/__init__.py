"""What differs, and why? The only code that knows both implementations.

Read it in this order: agreement (free run, lockstep, closest call), styles (what a network came to), article and
parity (one row of their tables each), side_by_side (rows in parallel), __main__ (the command line).
"""
