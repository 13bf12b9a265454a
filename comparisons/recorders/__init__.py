"""Recorders: what writes a trace while a program trains. One file a framework; `plain` serves any that gives arrays."""
