"""The settings of a real installation: nothing that Django warns about, and nothing of the demonstration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin import servers

ROOT = Path(__file__).resolve().parents[2]


def production(**changes: str) -> dict[str, str]:
    """The environment of an installation, and nothing of this test run's."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "DATA_DIR": os.environ["DATA_DIR"],
        "DJANGO_SETTINGS_MODULE": "crm.settings",
        "SECRET_KEY": "kX9!vT2@qLm7#Rz4$Wp8%Nc1^Yb6&Hd3*Gf5(Js0)Ua-Eo+Ti=Kd/Pq",
        "ENCRYPTION_KEYS": "1:" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=",
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "ALLOWED_HOSTS": "crm.example.com",
        "BASE_URL": "https://crm.example.com",
        "CSRF_TRUSTED_ORIGINS": "https://crm.example.com",
        "META_APP_SECRET": "of-the-app",
        "META_VERIFY_TOKEN": "of-the-operator",
        **changes,
    }


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=production(**changes), capture_output=True, text=True, timeout=120
    )


SHOW = "import django; django.setup(); from django.conf import settings; print({})"


def show(expression: str, **changes: str) -> str:
    done = run("-c", SHOW.format(expression), **changes)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_an_installation_has_nothing_that_django_warns_about():
    done = run("-m", "django", "check", "--deploy", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stderr[-3000:]
    assert "0 silenced" in done.stdout


def test_an_installation_has_no_debugging_and_no_demonstration():
    facts = (
        "settings.DEBUG, settings.LOCAL, settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE,"
        " settings.SESSION_COOKIE_HTTPONLY, settings.SESSION_COOKIE_NAME, settings.SIMULATOR_URL, settings.GRAPH_API_URL"
    )

    assert show(f"({facts})") == str(
        (False, False, True, True, True, "__Host-session", "", "https://graph.facebook.com")
    )


@pytest.mark.parametrize("missing", ["SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL"])
def test_without_what_it_needs_it_does_not_start_and_says_what(missing):
    environment = production()
    del environment[missing]

    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert missing in done.stderr


@pytest.mark.parametrize("keys", ["", "1:c2hvcnQ=", "x:" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="])
def test_encryption_keys_that_would_not_hold_are_refused(keys):
    done = run("-c", "import django; django.setup()", ENCRYPTION_KEYS=keys)

    assert done.returncode != 0
    assert "ENCRYPTION_KEYS" in done.stderr


def test_it_refuses_to_serve_when_it_would_see_over_the_fence():
    """A login that is a superuser and does not act as crm_app sees every company."""
    code = (
        "import django; django.setup(); from django.conf import settings;"
        " settings.DATABASES['default']['OPTIONS']['options'] = ''; import crm.asgi"
    )
    done = run("-c", code)

    assert done.returncode != 0
    assert "tenants.E001" in done.stderr

    assert run("-c", "import crm.asgi").returncode == 0
