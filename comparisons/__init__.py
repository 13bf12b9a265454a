"""What differs, and why? The only code that knows both implementations.

Our own two: agreement (free run, lockstep, closest call), styles (what a network came to), article and parity (one row
of their tables each), side_by_side (rows in parallel), lamda and differences.

Anyone's: trace and recorders (a recorded run), lineup (which parameter is which), comparison (where two runs part),
training (assert_same_training), pytest_plugin.

Why they part: practice and mistakes (how an update can be made, right or wrong), evidence (what the traces tell of it),
case (the updates that must be explained), fit (the numbers), items (other starts, other items), diagnosis.

commands and tables are the command line: what is asked, and what is printed.
"""
