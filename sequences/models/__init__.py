from sequences.models.broadcasts import Broadcast, BroadcastState, Fate, Recipient
from sequences.models.crowds import BulkEnrollment
from sequences.models.enrollments import Enrollment, EnrollmentState, StepRun
from sequences.models.files import StepFile
from sequences.models.sequences import Sequence, SequenceNumber, SequenceVersion, Trigger
from sequences.models.tasks import ManualTask, TaskState

__all__ = [
    "Broadcast",
    "BroadcastState",
    "BulkEnrollment",
    "Enrollment",
    "EnrollmentState",
    "Fate",
    "ManualTask",
    "Recipient",
    "Sequence",
    "SequenceNumber",
    "SequenceVersion",
    "StepFile",
    "StepRun",
    "TaskState",
    "Trigger",
]
