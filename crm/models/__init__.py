from crm.models.attachments import Attachment, FileState
from crm.models.contacts import Contact, ContactWord, Identity, IdentityKind, MarketingSource
from crm.models.conversations import Activity, ActivityKind, Conversation, ConversationStatus, Episode
from crm.models.erasures import Erasure, ErasureDigest, ErasureDoor, ErasureKey, ErasureReason, ErasureStep
from crm.models.imports import ContactImport, ContactImportPage, ImportState
from crm.models.issues import DeliveryIssue, Examination, IssueLevel, IssueState
from crm.models.merges import ContactMerge
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
from crm.models.money import Budget, ErasedHour, MessageHour, RollupProgress
from crm.models.optouts import MarketingWords
from crm.models.replies import QuickReply, ReplyKind
from crm.models.search import MessageWord, SearchProgress

__all__ = [
    "AMENDMENTS",
    "NOTES",
    "Activity",
    "ActivityKind",
    "Attachment",
    "Budget",
    "Contact",
    "ContactImport",
    "ContactImportPage",
    "ContactMerge",
    "ContactWord",
    "Conversation",
    "ConversationStatus",
    "DeliveryIssue",
    "Direction",
    "Episode",
    "ErasedHour",
    "Erasure",
    "ErasureDigest",
    "ErasureDoor",
    "ErasureKey",
    "ErasureReason",
    "ErasureStep",
    "Examination",
    "FileState",
    "Identity",
    "IdentityKind",
    "ImportState",
    "IssueLevel",
    "IssueState",
    "MarketingSource",
    "MarketingWords",
    "Message",
    "MessageHour",
    "MessageStatus",
    "MessageWord",
    "Priority",
    "QuickReply",
    "Reaction",
    "ReplyKind",
    "RollupProgress",
    "SearchProgress",
    "Source",
    "UnmatchedStatus",
]
