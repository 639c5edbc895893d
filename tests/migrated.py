"""A migrated PostgreSQL to begin from: the first run makes it, and all that follow copy its files.

To draw every migration takes a quarter of a minute, and the suites start several servers. It is of exactly this code:
whoever changes a line of the product gets another one, made by running all migrations.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from crm.local import Servers

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".local" / "migrated"
_CODE = ("crm", "sequences", "tenants", "whatsapp")
_PARTS = ("postgres", "secrets.json")  # the password is the server's


def provide(data_dir: Path) -> None:
    """Put the files of a migrated server, and the secrets that go with it, into an empty folder."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = KEPT / _fingerprint()
        if not kept.exists():
            _make(kept)
        for part in _PARTS:
            subprocess.run(["cp", "-a", kept / part, data_dir / part], check=True)


def _make(kept: Path) -> None:
    for older in KEPT.iterdir():
        if older.is_dir():
            shutil.rmtree(older)
    draft = kept.with_name("draft")
    with Servers(data_dir=draft, durable=False) as servers:
        places = {"DATA_DIR": str(draft), "DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_OWNER_URL"}
        command = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity=0"]
        subprocess.run(command, cwd=ROOT, env=environment | {"LOCAL": "1"} | places, check=True)
    draft.rename(kept)


def _fingerprint() -> str:
    """Of the product's code and of the packages it runs on."""
    found = hashlib.sha256((ROOT / "requirements" / "base.txt").read_bytes())
    for part in _CODE:
        for file in sorted((ROOT / part).rglob("*.py")):
            found.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return found.hexdigest()[:16]
