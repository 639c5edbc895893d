"""Sequences over REST: beginning, watching, and what a person may do, with the caller's rights."""

import pytest

from sequences.models import Enrollment, Sequence
from tests.crm.api.conftest import api  # noqa: F401
from tests.crm.views.talk import conversation
from tests.sequences.conftest import build, step

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk(ours):
    with ours.transaction():
        build(ours, step("uno", hours=1), step("dos", hours=1))
        return conversation(ours)


def test_a_sequence_begins_once_and_is_watched(api, ours, talk):  # noqa: F811
    client = api(ours.ana)
    body = {"sequence": "Carrito", "conversation": str(talk.pk)}

    first, second = (client.post("/api/v1/enrollments/", body, format="json") for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert (first.json()["state"], first.json()["step"]) == ("active", 1)
    listed = client.get(f"/api/v1/enrollments/?conversation={talk.pk}&state=active").json()["results"]
    assert [each["id"] for each in listed] == [first.json()["id"]]
    [sequence] = client.get("/api/v1/sequences/").json()["results"]
    assert (sequence["name"], sequence["version"], sequence["steps"]) == ("Carrito", 1, 2)


def test_what_a_person_may_do_a_program_may(api, ours, talk):  # noqa: F811
    client = api(ours.ana)
    begun = client.post("/api/v1/enrollments/", {"sequence": "Carrito", "conversation": str(talk.pk)}, format="json")
    address = f"/api/v1/enrollments/{begun.json()['id']}/"

    states = [client.post(f"{address}{do}/").json().get("state") for do in ("pause", "resume", "skip", "stop")]

    assert states == ["active" if do else "paused" for do in (0, 1, 1)] + ["stopped"]
    assert client.post(f"{address}resume/").status_code == 422
    assert client.get(address).json()["step"] == 2


@pytest.mark.parametrize(
    ("change", "reason"), [({"is_active": False}, "not_in_use"), ({"version": None}, "not_in_use")]
)
def test_one_that_cannot_begin_says_why(api, ours, talk, change, reason):  # noqa: F811
    with ours.transaction():
        Sequence.objects.update(**change)
    answer = api(ours.ana).post(
        "/api/v1/enrollments/", {"sequence": "Carrito", "conversation": str(talk.pk)}, format="json"
    )
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)


def test_others_find_nothing(api, ours, theirs, talk):  # noqa: F811
    begun = api(ours.ana).post(
        "/api/v1/enrollments/", {"sequence": "Carrito", "conversation": str(talk.pk)}, format="json"
    )
    with ours.transaction():
        sequence = Sequence.objects.get()
    for stranger in (api(theirs.owner), api(ours.luis)):
        address = f"/api/v1/enrollments/{begun.json()['id']}/"
        assert stranger.get(address).status_code == 404
        assert stranger.post(f"{address}stop/").status_code == 404
        assert stranger.get("/api/v1/enrollments/").json()["results"] == []
        body = {"sequence": str(sequence.pk), "conversation": str(talk.pk)}
        assert stranger.post("/api/v1/enrollments/", body, format="json").status_code == 404
    assert api(theirs.owner).get(f"/api/v1/sequences/{sequence.pk}/").status_code == 404
    with ours.transaction():
        assert Enrollment.objects.get().state == "active"
