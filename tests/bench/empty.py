"""An answer that does nothing: what granian and the load generator can do at most."""

from typing import Any


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the body and answer 200."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        continue
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
