"""Readers: files and data sets -> `Recording`s, with every defect counted."""

from jointwatch.recordings._column_map import ColumnMap
from jointwatch.recordings._reading import Failure, Reading, read
from jointwatch.recordings._suggest import Suggestion, suggest_columns
from jointwatch.recordings.base import Reader

__all__ = ["ColumnMap", "Failure", "Reader", "Reading", "Suggestion", "read", "suggest_columns"]
