from crm.models.attachments import Attachment, FileState
from crm.models.contacts import Contact, Identity, IdentityKind
from crm.models.conversations import Activity, ActivityKind, Conversation, ConversationStatus, Episode
from crm.models.issues import DeliveryIssue, Examination, IssueLevel, IssueState
from crm.models.messages import (
    AMENDMENTS,
    NOTES,
    Direction,
    Message,
    MessageStatus,
    Priority,
    Reaction,
    Source,
    UnmatchedStatus,
)
from crm.models.money import Budget, MessageHour, RollupProgress
from crm.models.replies import QuickReply
from crm.models.search import MessageWord, SearchProgress

__all__ = [
    "AMENDMENTS",
    "NOTES",
    "Activity",
    "ActivityKind",
    "Attachment",
    "Budget",
    "Contact",
    "Conversation",
    "ConversationStatus",
    "DeliveryIssue",
    "Direction",
    "Episode",
    "Examination",
    "FileState",
    "Identity",
    "IdentityKind",
    "IssueLevel",
    "IssueState",
    "Message",
    "MessageHour",
    "MessageStatus",
    "MessageWord",
    "Priority",
    "QuickReply",
    "Reaction",
    "RollupProgress",
    "SearchProgress",
    "Source",
    "UnmatchedStatus",
]
