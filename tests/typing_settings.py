"""The settings as mypy's plugin reads them: no server, no secret."""

import base64
import os

os.environ.setdefault("SECRET_KEY", "for type checking only")
os.environ.setdefault("ENCRYPTION_KEYS", "1:" + base64.b64encode(bytes(32)).decode())
os.environ.setdefault("DATABASE_URL", "postgresql://localhost/none")
os.environ.setdefault("REDIS_URL", "redis://localhost/0")

from crm.settings import *  # noqa: F403
