"""Choosing how to carry a detector to a target, without the target's labels."""
