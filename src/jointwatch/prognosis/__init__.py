"""Graded histories of a joint, and when it will be due."""
