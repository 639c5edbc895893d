from crm.models.contacts import Contact, Identity, IdentityKind
from crm.models.conversations import Activity, ActivityKind, Conversation, ConversationStatus, Episode
from crm.models.messages import (
    Attachment,
    Direction,
    Message,
    MessageStatus,
    Priority,
    Reaction,
    Source,
    UnmatchedStatus,
)

__all__ = [
    "Activity",
    "ActivityKind",
    "Attachment",
    "Contact",
    "Conversation",
    "ConversationStatus",
    "Direction",
    "Episode",
    "Identity",
    "IdentityKind",
    "Message",
    "MessageStatus",
    "Priority",
    "Reaction",
    "Source",
    "UnmatchedStatus",
]
