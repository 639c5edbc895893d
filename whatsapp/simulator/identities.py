"""How WhatsApp names things: a phone's national variants, message ids, and business-scoped user ids."""

import base64
import hashlib
import os

_COUNTRIES = {"51": "PE", "56": "CL", "55": "BR", "52": "MX", "54": "AR", "57": "CO", "34": "ES", "1": "US", "44": "GB"}


def wa_id_of(phone: str) -> str:
    """The id WhatsApp answers for a phone: Mexico with 1, Argentina with 9, Brazil without the 9 from area 31 up."""
    if phone.startswith("52") and len(phone) == 12:
        return f"521{phone[2:]}"
    if phone.startswith("54") and len(phone) == 12:
        return f"549{phone[2:]}"
    if phone.startswith("55") and len(phone) == 13 and phone[4] == "9" and phone[2:4] >= "31":
        return phone[:4] + phone[5:]
    return phone


def canonical(address: str) -> str:
    """One key for every national variant of a phone, so that a customer is found however they are written."""
    if address.startswith("521") and len(address) == 13:
        return f"52{address[3:]}"
    if address.startswith("549") and len(address) == 13:
        return f"54{address[3:]}"
    if address.startswith("55") and len(address) == 13 and address[4] == "9":
        return address[:4] + address[5:]
    return address


def country_of(phone: str) -> str:
    return next((name for code, name in _COUNTRIES.items() if phone.startswith(code)), "US")


def message_id(phone: str, *, inbound: bool) -> str:
    """A wamid: unique, with the other side's phone inside as Meta's have."""
    marker = b"\x12\x18\x14" if inbound else b"\x11\x18\x12"
    raw = (
        b"\x1c\x18"
        + bytes([len(phone) & 0xFF])
        + phone.encode()
        + b"\x15\x02\x00"
        + marker
        + os.urandom(9).hex().encode()
    )
    return "wamid." + base64.b64encode(raw + b"\x00").decode()


def bsuid_of(phone: str, *, account_id: str) -> str:
    """The business-scoped id of a person: one per portfolio, the same every time."""
    number = int.from_bytes(hashlib.sha256(f"{account_id}/{canonical(phone)}".encode()).digest()[:8], "big")
    return f"{country_of(phone)}.{number % 10**17:017d}"
