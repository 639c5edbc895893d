"""Meta's words for the state of a number and its account, in the reader's language."""

from typing import Any

from django.utils.translation import gettext_lazy as _

_WORDS: dict[str, Any] = {
    # Of a number
    "CONNECTED": _("connected"),
    "DISCONNECTED": _("disconnected"),
    "PENDING": _("pending"),
    "UNVERIFIED": _("not verified"),
    "FLAGGED": _("flagged"),
    "RESTRICTED": _("restricted"),
    "BANNED": _("banned"),
    "RATE_LIMITED": _("slowed down"),
    "MIGRATED": _("moved to another account"),
    "DELETED": _("deleted"),
    # What it may send, and how fast
    "AVAILABLE": _("everything"),
    "LIMITED": _("with limits"),
    "BLOCKED": _("nothing"),
    "STANDARD": _("standard"),
    "HIGH": _("high"),
    # Its name
    "APPROVED": _("approved"),
    "AVAILABLE_WITHOUT_REVIEW": _("no review needed"),
    "PENDING_REVIEW": _("under review"),
    "DECLINED": _("rejected"),
    "REJECTED": _("rejected"),
    "EXPIRED": _("expired"),
    # Its account
    "VERIFIED_ACCOUNT": _("account verified"),
    "DISABLED_UPDATE": _("account disabled"),
    "DISABLE": _("account disabled"),
    "REINSTATE": _("account restored"),
    "SCHEDULE_FOR_DISABLE": _("account about to be disabled"),
    "ACCOUNT_RESTRICTION": _("account restricted"),
    "ACCOUNT_VIOLATION": _("rules broken"),
    "ACCOUNT_DELETED": _("account deleted"),
    "ACCOUNT_OFFBOARDED": _("disconnected"),
    "ACCOUNT_RECONNECTED": _("connected again"),
    "PARTNER_ADDED": _("app connected"),
    "PARTNER_APP_INSTALLED": _("app connected"),
    "PARTNER_REMOVED": _("app disconnected"),
    "REVIEW_APPROVED": _("account approved"),
    "REVIEW_REJECTED": _("account rejected"),
    "PIN_CHANGED": _("PIN changed"),
    "PIN_RESET_REQUEST": _("somebody asked for another PIN"),
    "PIN_RESET_SUCCESS": _("PIN reset"),
    # What a restriction takes away
    "RESTRICTED_ADD_PHONE_NUMBER_ACTION": _("no more numbers can be added"),
    "RESTRICTED_BIZ_INITIATED_MESSAGING": _("no conversation can be begun"),
    "RESTRICTED_CUSTOMER_INITIATED_MESSAGING": _("customers cannot be answered"),
}


def said(word: str) -> str:
    """Meta's word for a person; one that we do not know stays as it is, written plainly."""
    return str(_WORDS.get(word.upper()) or word.replace("_", " ").lower())
