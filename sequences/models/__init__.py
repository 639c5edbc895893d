from sequences.models.enrollments import Enrollment, EnrollmentState, StepRun
from sequences.models.sequences import Sequence, SequenceVersion, Trigger
from sequences.models.tasks import ManualTask, TaskState

__all__ = [
    "Enrollment",
    "EnrollmentState",
    "ManualTask",
    "Sequence",
    "SequenceVersion",
    "StepRun",
    "TaskState",
    "Trigger",
]
