"""Types, catalog and errors that every other layer speaks in."""

from jointwatch.core.alarm import Alarm
from jointwatch.core.channel import Channel, Joint, Quantity, Robot, Source
from jointwatch.core.condition import Condition, Cycle, Event, Label
from jointwatch.core.index import Index
from jointwatch.core.quality import Action, QualityIssue, QualityReport
from jointwatch.core.recording import Recording
from jointwatch.core.scores import Scores
from jointwatch.core.windows import Windows

__all__ = [
    "Action",
    "Alarm",
    "Channel",
    "Condition",
    "Cycle",
    "Event",
    "Index",
    "Joint",
    "Label",
    "QualityIssue",
    "QualityReport",
    "Quantity",
    "Recording",
    "Robot",
    "Scores",
    "Source",
    "Windows",
]
