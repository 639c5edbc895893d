"""The demonstration's clock moves for every process at once, and nowhere but on a local machine."""

import hmac
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.test import Client

from tenants import clock


@pytest.fixture(autouse=True)
def _back():
    yield
    clock.move(ahead=timedelta(0))


def signed(body: bytes) -> dict[str, str]:
    digest = hmac.digest(django_settings.META_APP_SECRET.encode(), body, "sha256").hex()
    return {"X-Hub-Signature-256": f"sha256={digest}"}


def post(body: bytes, headers: dict[str, str] | None = None):
    return Client().post(
        "/clock/", body, content_type="application/json", headers=signed(body) if headers is None else headers
    )


@pytest.mark.django_db
def test_it_is_set_from_real_time_and_told():
    answer = post(json.dumps({"offset_s": 90000}).encode())

    assert answer.status_code == 200
    assert answer.json()["offset_s"] == 90000
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=25)) < timedelta(seconds=2)
    assert Client().get("/clock/").json()["offset_s"] == 90000


def test_another_process_sees_it():
    clock.move(ahead=timedelta(hours=3))
    code = "import django; django.setup(); from tenants import clock; print(clock.ahead().total_seconds())"
    told = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert told.stdout.strip().splitlines()[-1] == "10800.0"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"offset_s": 60}', {}, 401),
        (b'{"offset_s": 60}', {"X-Hub-Signature-256": "sha256=00"}, 401),
        (b"{}", None, 400),
        (b"[]", None, 400),
        (b'{"offset_s": "soon"}', None, 400),
        (b'{"offset_s": 1e999}', None, 400),
        (b'{"offset_s": NaN}', None, 400),
    ],
)
def test_nobody_else_moves_it(body, headers, status):
    assert post(body, headers).status_code == status
    assert clock.ahead() == timedelta(0)


@pytest.mark.django_db
@pytest.mark.parametrize(("asked", "given"), [(-60, 0), (1e12, 366 * 86400)])
def test_it_goes_neither_back_nor_to_the_end_of_time(asked, given):
    answer = post(json.dumps({"offset_s": asked}).encode())
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert answer.json()["offset_s"] == given


def test_elsewhere_it_cannot_be_moved_and_is_not_asked(settings):
    clock.move(ahead=timedelta(hours=3))
    settings.LOCAL = False
    assert clock.ahead() == timedelta(0)
    with pytest.raises(RuntimeError):
        clock.move(ahead=timedelta(hours=1))
    settings.LOCAL = True
