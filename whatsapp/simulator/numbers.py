"""The business numbers and accounts that exist, which token each expects, and what Meta tells about them."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from .errors import GraphError

SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")


@dataclass(slots=True)
class Number:
    id: str
    account_id: str
    display: str
    name: str
    token: str = ""  # a presented token must start with it; empty accepts any
    known: bool = True
    about: dict[str, Any] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)
    public_key: str = ""
    key_status: str = "VALID"  # of its signature; MISMATCH after the number was registered anew
    free_services_used: int = 0
    # What stands between a number and working; `POST /control/numbers` breaks each of them. See conditions.
    registered: bool = True
    pin: str = ""  # of the second step; empty takes any
    token_state: str = "valid"  # noqa: S105 - or "invalid", "expired"
    token_expires_at: int = 0  # 0: never
    token_kind: str = "SYSTEM_USER"  # noqa: S105
    scopes: tuple[str, ...] = SCOPES
    callback_url: str | None = None  # where its webhooks go instead of the app's address; empty: nowhere
    given_verify_token: str | None = None  # what is sent for the handshake, whatever the application asked for
    # Of a number that the app on a phone uses too; see coexistence.
    onboarded_at: float = 0.0  # 0: when the simulator began
    handed_over: set[str] = field(default_factory=set)
    shares_history: bool = True

    @property
    def digits(self) -> str:
        return "".join(character for character in self.display if character.isdigit())


def declared() -> list[Number]:
    """The numbers of the demonstration: three of tenant Demo, one of tenant Otra."""
    shop = {"about": "Zapatillas con los pies en la nube.", "email": "hola@nubecalzado.test", "vertical": "RETAIL"}
    return [
        Number(
            "100000000000001", "300000000000001", "+51 1 700 1001", "Nube Calzado", "EAAsim-demo-ventas-000001",
            profile=dict(shop),
        ),
        Number(
            "100000000000002", "300000000000001", "+51 1 700 1002", "Nube Calzado Soporte",
            "EAAsim-demo-soporte-000002", profile=dict(shop),
        ),
        Number(
            "100000000000003", "300000000000001", "+56 2 2700 1003", "Nube Calzado Chile",
            "EAAsim-demo-triage-000003", profile=dict(shop), about={"quality_rating": "YELLOW"},
        ),
        # Not connected yet: for whoever tries the wizard.
        Number(
            "100000000000004", "300000000000001", "+56 2 2700 1004", "Nube Calzado Mayoristas",
            "EAAsim-demo-mayor-000004", profile=dict(shop), registered=False,
        ),
        Number("200000000000001", "400000000000001", "+55 11 2700 1009", "Otra Papelaria", "EAAsim-otra-ventas-000009"),
    ]  # fmt: skip


class Numbers:
    FALLBACK_ACCOUNT = "900000000000001"

    def __init__(self, *, app_url: str = "") -> None:
        self.app_url = app_url  # where the app's webhooks go
        self._numbers = {number.id: number for number in declared()}
        self.subscribed: dict[str, dict[str, Any]] = {number.account_id: {} for number in self._numbers.values()}
        self.renewed: dict[str, str] = {}  # a token given in exchange → the one it stands for

    def __iter__(self):
        return iter(self._numbers.values())

    def get(self, number_id: str) -> Number | None:
        return self._numbers.get(number_id)

    def get_or_register(self, number_id: str) -> Number:
        """The number with this id; an id nobody declared becomes a number on the spot, with any token."""
        number = self._numbers.get(number_id)
        if number is None:
            if not number_id.isdigit():
                raise GraphError(100, f"Unsupported request: object with ID '{number_id}' does not exist", subcode=33)
            tail = str(int(hashlib.sha256(number_id.encode()).hexdigest()[:8], 16))[-7:].rjust(7, "0")
            number = self._numbers[number_id] = Number(
                number_id,
                self.FALLBACK_ACCOUNT,
                f"+51 1 {tail[:3]} {tail[3:]}",
                f"Número {number_id[-4:]}",
                known=False,
            )
        return number

    def of_account(self, account_id: str) -> list[Number]:
        return [number for number in self._numbers.values() if number.account_id == account_id]

    def authorize(self, *, number: Number, token: str, expected: str | None = None) -> None:
        """Raise 190 for a token nobody has, 10 for the token of another number: a number sends with its own."""
        expected = expected or number.token
        token = self.renewed.get(token, token)
        if not token:
            raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")
        if not expected or token.startswith(expected):
            self._check_life(number)
            return
        if self._owner(token):
            raise GraphError(10, f"This token may not act for phone number {number.id}")
        raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")

    def authorize_account(self, *, account_id: str, token: str) -> None:
        token = self.renewed.get(token, token)
        if not token:
            raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")
        mine = [number for number in self.of_account(account_id) if number.token]
        holder = next((number for number in mine if token.startswith(number.token)), None)
        if holder:
            self._check_life(holder)
            if "whatsapp_business_management" not in holder.scopes:
                raise GraphError(200, "Requires whatsapp_business_management permission to manage the object")
        if not mine or holder:
            return
        raise GraphError(10 if self._owner(token) else 190, f"This token may not act for account {account_id}")

    def hears(self, number: Number) -> bool:
        """Whether the app is subscribed to the number's account. Accounts that nobody declared are always heard."""
        return number.account_id in self.subscribed or number.account_id == self.FALLBACK_ACCOUNT

    def renew(self, token: str) -> str:
        """Another token that may do what this one may, and lives 60 days."""
        fresh = f"{self.renewed.get(token, token)}-renewed{len(self.renewed) + 1}"
        self.renewed[fresh] = self.renewed.get(token, token)
        return fresh

    def _check_life(self, number: Number) -> None:
        if number.token_state == "expired":  # noqa: S105
            raise GraphError(190, "Error validating access token: Session has expired", subcode=463)
        if number.token_state == "invalid":  # noqa: S105
            raise GraphError(190, "Error validating access token: The session has been invalidated", subcode=460)

    def _addresses(self, number: Number) -> dict[str, str]:
        if number.callback_url is None:
            return {"application": self.app_url}
        return {"application": "", "phone_number": number.callback_url} if number.callback_url else {"application": ""}

    def describe(self, number: Number) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "id": number.id,
            "display_phone_number": number.display,
            "verified_name": number.name,
            "status": "CONNECTED" if number.registered else "PENDING",
            "quality_rating": "GREEN",
            "code_verification_status": "VERIFIED",
            "name_status": "APPROVED",
            "throughput": {"level": "STANDARD"},
            "platform_type": "CLOUD_API",
            "account_mode": "LIVE",
            "is_on_biz_app": False,
            "is_official_business_account": False,
            "is_pin_enabled": True,
            "whatsapp_business_manager_messaging_limit": "TIER_2K",
            "messaging_limit_tier": "TIER_2K",
            "webhook_configuration": self._addresses(number),
            "health_status": {
                "can_send_message": "AVAILABLE",
                "entities": [
                    {"entity_type": "PHONE_NUMBER", "id": number.id, "can_send_message": "AVAILABLE"},
                    {"entity_type": "WABA", "id": number.account_id, "can_send_message": "AVAILABLE"},
                ],
            },
        }
        return facts | number.about

    def owner_of(self, token: str) -> Number | None:
        return self._owner(token)

    def _owner(self, token: str) -> Number | None:
        token = self.renewed.get(token, token)
        return next(
            (number for number in self._numbers.values() if number.token and token.startswith(number.token)), None
        )
