"""The settings of a machine that was given none."""

import os
from pathlib import Path

import environ

from crm.local.secrets import secret

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def data_dir() -> Path:
    """Where the servers' data, the secrets and the locks are; a relative DATA_DIR starts at the checkout."""
    return BASE_DIR / (os.environ.get("DATA_DIR") or ".local")


def is_local() -> bool:
    """Whether this is a developer's or a demo's machine: told so, or given no SECRET_KEY."""
    if told := os.environ.get("LOCAL"):
        return told.lower() in {"1", "true", "yes", "on"}
    return not os.environ.get("SECRET_KEY")


def set_local_environment() -> bool:
    """Read `.env`, then fill in what is missing from the environment on a local machine; answers whether it is one.

    What is set already is not changed; empty counts as missing. In production (SECRET_KEY given) only `.env` is read.
    """
    if (BASE_DIR / ".env").exists():
        environ.Env.read_env(BASE_DIR / ".env")
    if not is_local():
        return False
    for name, value in _defaults().items():
        if not os.environ.get(name):
            os.environ[name] = value
    return True


def _defaults() -> dict[str, str]:
    port = os.environ.get("PORT") or "8000"
    simulator_port = os.environ.get("SIMULATOR_PORT") or "8010"
    return {
        "LOCAL": "1",
        "DATA_DIR": str(data_dir()),
        "PORT": port,
        "SIMULATOR_PORT": simulator_port,
        "SECRET_KEY": secret("secret_key", data_dir=data_dir()),
        "ENCRYPTION_KEYS": secret("encryption_keys", data_dir=data_dir()),
        "BASE_URL": f"http://localhost:{port}",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,[::1]",
        "CSRF_TRUSTED_ORIGINS": f"http://localhost:{port},http://127.0.0.1:{port}",
        "META_APP_ID": "1000000000000009",
        "META_APP_SECRET": "local-app-secret",
        "META_VERIFY_TOKEN": "local-verify-token",
        "WHATSAPP_ACCESS_TOKEN": "",
        "GRAPH_API_URL": f"http://127.0.0.1:{simulator_port}",
        "GRAPH_API_VERSION": "v25.0",
        "EMAIL_URL": "consolemail://",
        "APP_CLOCK_URL": f"http://127.0.0.1:{port}/clock/",
        "SIMULATOR_URL": f"http://localhost:{simulator_port}",
        "DEMO_PASSWORD": "demo-password",
    }
