"""Recorders write a trace while a program trains. One file a framework; `plain` serves every program with arrays."""
