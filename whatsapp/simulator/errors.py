"""Meta's errors: their codes, their words and the shape in which the Graph API and a failed status carry them.

Source: developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes. Clients branch on the code, never on the text.
"""

import secrets
from typing import Any

HREF = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"

# code -> (HTTP status, title)
KNOWN: dict[int, tuple[int, str]] = {
    0: (401, "AuthException"),
    1: (500, "API Unknown"),
    2: (503, "API Service"),
    3: (403, "API Method"),
    4: (400, "API Too Many Calls"),
    10: (403, "Application does not have permission for this action"),
    33: (400, "Parameter value is not valid"),
    100: (400, "Invalid parameter"),
    190: (401, "Error validating access token: The session has been invalidated"),
    200: (403, "API Permission"),
    368: (403, "Temporarily blocked for policies violations"),
    130403: (400, "User is blocked by the business"),
    130429: (400, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    130497: (403, "Business account is restricted from messaging users in this country"),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (503, "Service unavailable"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131031: (403, "Business Account locked"),
    131037: (400, "Display name approval needed"),
    131042: (400, "Business eligibility payment issue"),
    131045: (500, "Incorrect certificate"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement"),
    131050: (400, "User has stopped marketing messages from this business"),
    131051: (400, "Message type is currently not supported"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131056: (400, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (500, "Account in maintenance mode"),
    131060: (400, "This message is currently unavailable"),
    132000: (400, "Number of parameters does not match the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132005: (400, "Translated text too long"),
    132007: (400, "Template format character policy violated"),
    132012: (400, "Template parameter format mismatch"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
    132018: (400, "There is an issue with the parameters in your template"),
    132068: (400, "Flow is in blocked state"),
    132069: (400, "Flow is in throttled state"),
    2200: (400, "Callback verification failed"),
    133005: (400, "Two-step verification PIN mismatch"),
    133010: (400, "Phone number not registered"),
    139000: (400, "Flow blocked by integrity"),
    139001: (400, "Flow can't be updated"),
    139002: (400, "Flow can't be published"),
    139003: (400, "Flow can't be deprecated"),
    139004: (400, "Flow can't be deleted"),
    2593107: (400, "Synchronization request limit exceeded"),
    2593108: (400, "Synchronization request made outside of the allowed time window"),
    135000: (400, "Generic user error"),
}

DETAILS: dict[int, str] = {
    131026: "Message Undeliverable.",
    131047: "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    131049: "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
    131056: "Message failed to send because there were too many messages sent from this phone number to the same phone "
    "number in a short period of time.",
    130429: "Cloud API message throughput has been reached.",
    131000: "Message failed to send due to an unknown error.",
    131030: "Recipient phone number not in allowed list: Add recipient phone number to recipient list and try again.",
}

_TRANSIENT = {1, 2, 131000, 131016, 131057}


class GraphError(Exception):
    """The Graph API refuses a call, in Meta's words."""

    def __init__(
        self,
        code: int,
        details: str = "",
        *,
        status: int | None = None,
        subcode: int | None = None,
        title_for_person: str = "",
        message_for_person: str = "",
    ) -> None:
        super().__init__(code, details)
        self.for_person = (title_for_person, message_for_person)
        self.code = code
        self.details = details or DETAILS.get(code, "")
        self.status, self.title = KNOWN.get(code, (400, "An error occurred"))
        self.status = status or self.status
        self.subcode = subcode

    def as_json(self) -> dict[str, Any]:
        error: dict[str, Any] = {
            "message": f"(#{self.code}) {self.title}",
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": "A" + secrets.token_urlsafe(16),
        }
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if any(self.for_person):
            error["error_user_title"], error["error_user_msg"] = self.for_person
        if self.code in _TRANSIENT:
            error["is_transient"] = True
        return {"error": error}


def as_status_error(code: int) -> dict[str, Any]:
    """The object that a `failed` status and an `unsupported` message carry."""
    title = KNOWN.get(code, (400, "An error occurred"))[1]
    return {
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": DETAILS.get(code, title)},
        "href": HREF,
    }
