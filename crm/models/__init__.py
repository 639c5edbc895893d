from crm.models.attachments import Attachment, FileState
from crm.models.contacts import Contact, Identity, IdentityKind
from crm.models.conversations import Activity, ActivityKind, Conversation, ConversationStatus, Episode
from crm.models.messages import (
    Direction,
    Message,
    MessageStatus,
    Priority,
    Reaction,
    Source,
    UnmatchedStatus,
)
from crm.models.search import MessageWord, SearchProgress

__all__ = [
    "Activity",
    "ActivityKind",
    "Attachment",
    "Contact",
    "Conversation",
    "ConversationStatus",
    "Direction",
    "Episode",
    "FileState",
    "Identity",
    "IdentityKind",
    "Message",
    "MessageStatus",
    "MessageWord",
    "Priority",
    "Reaction",
    "SearchProgress",
    "Source",
    "UnmatchedStatus",
]
