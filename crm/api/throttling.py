"""How often somebody may fail to sign in: per address they come from, and per account they try."""

import hashlib
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class FailedSignIns(SimpleRateThrottle):
    """Counts every try before it is judged, so that many at once do not slip through; success takes it back."""

    scope = "auth"
    duration: float

    def forgive(self) -> None:
        """The try was right: a script that signs in for each run is nobody guessing."""
        if getattr(self, "key", None) and self.now in self.history:
            self.history.remove(self.now)
            self.cache.set(self.key, self.history, self.duration)


class FailedSignInsFromAddress(FailedSignIns):
    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": "auth-address", "ident": self.get_ident(request)}


class FailedSignInsToAccount(FailedSignIns):
    def get_cache_key(self, request: Request, view: Any) -> str | None:
        email = request.data.get("email") if isinstance(request.data, dict) else None
        if not isinstance(email, str):
            return None
        folded = email.strip().lower().encode(errors="replace")
        return self.cache_format % {"scope": "auth-account", "ident": hashlib.sha256(folded).hexdigest()}
