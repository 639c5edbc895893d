"""Secrets of this machine, made once and kept in one private file."""

import base64
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path


def secret(name: str, *, data_dir: Path) -> str:
    """The secret of that name: database_password, redis_password, secret_key or encryption_keys."""
    return _all(data_dir / "secrets.json")[name]


def _all(file: Path) -> dict[str, str]:
    if not file.exists():
        _make(file)
    return json.loads(file.read_text())


def _make(file: Path) -> None:
    made = {
        "database_password": secrets.token_hex(24),
        "redis_password": secrets.token_hex(24),
        "secret_key": secrets.token_urlsafe(50),
        "encryption_keys": "1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(made, indent=2))
    try:
        with suppress(FileExistsError):  # all or nothing; of two commands at the same moment the first wins
            os.link(draft, file)
    finally:
        draft.unlink()
