"""What is right: L1-regularized training in NumPy, by hand. The oracle.

Read it in this order: experiment (what is trained, and every random draw), data, network (forward, loss,
backward), optimizers (one step each), l1 (one update formula for each style), train (a step, and training as a fold
over it).
"""
