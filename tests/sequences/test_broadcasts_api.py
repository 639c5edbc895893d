"""Broadcasts over REST, from writing one to the report, with supervisors' rights and refusals that say what to do."""

import pytest

from crm.models import Identity, IdentityKind, Message
from sequences import broadcasting
from sequences.models import Broadcast
from tenants import clock
from tests.crm.api.conftest import api  # noqa: F401
from tests.crm.views.talk import conversation
from tests.sequences.conftest import approve

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/broadcasts/"


@pytest.fixture
def client(ours, api):  # noqa: F811
    with ours.transaction():
        approve(ours)
    return api(ours.supervisor)


@pytest.fixture
def written(ours):
    def body(**fields) -> dict:
        return {
            "name": "Oferta",
            "number": str(ours.number.pk),
            "template": {"name": "carrito", "language": "es"},
            "variables": {"1": "{first_name}"},
        } | fields

    return body


def post(client, address: str, body: dict | None = None):
    return client.post(f"{ROOT}{address}", body or {}, format="json")


def test_from_writing_it_to_its_report(ours, client, written):
    with ours.transaction():
        rosa = conversation(ours, "Rosa Quispe").contact
        rosa.phone = "51900555014"
        rosa.save()
        Identity.objects.create(
            tenant=ours.tenant, contact=rosa, kind=IdentityKind.PHONE, value=rosa.phone, address=rosa.phone
        )
    to = [
        {"phone": "+51 900 555 014", "values": {"Talla": "38"}},
        {"phone": "+51 900 555 099"},
        {"phone": "900 555 014"},
        {"phone": "ninguno"},
    ]

    made = post(client, "", written(recipients=to, variables={"1": "{talla}{first_name}"}, per_minute=4800))
    assert (made.status_code, made.json()["state"]) == (201, "preparing"), made.json()
    address = f"{made.json()['id']}/"
    assert post(client, f"{address}start/").json()["reason"] == "preparing"

    broadcasting.run(clock.now())
    ready = client.get(ROOT + address).json()
    assert (ready["state"], ready["counts"]["total"]) == ("ready", 4)
    assert ready["counts"]["waiting"] + ready["counts"]["refused"] == 4
    assert ready["forecast"][0]["country"] == "PE" and ready["forecast"][0]["category"] == "marketing"

    assert post(client, f"{address}start/").status_code == 200
    broadcasting.run(clock.now())
    broadcasting.run(clock.now())
    with ours.transaction():
        said = {message.text for message in Message.objects.filter(source="broadcast")}
    assert "Hola 38Rosa, tu carrito espera." in said
    report = client.get(f"{ROOT}{address}recipients/").json()["results"]
    assert [line["position"] for line in report] == [1, 2, 3, 4]
    assert (report[0]["fate"], report[0]["status"], report[0]["address"]) == ("sent", "queued", "51900555014")
    assert [line["reason"] for line in report[2:]] == ["twice", "not_a_phone"]
    assert report[3]["message"] is None and report[3]["status"] == ""


def test_to_a_label_it_is_paused_resumed_and_cancelled_and_no_step_twice(ours, client, written):
    with ours.transaction():
        talks = [conversation(ours, f"Cliente {n}") for n in range(3)]
        for talk in talks[:2]:
            talk.contact.labels = ["botas"]
            talk.contact.save()
    address = f"{post(client, '', written(label='botas', days=3650)).json()['id']}/"
    broadcasting.run(clock.now())
    assert client.get(ROOT + address).json()["counts"]["waiting"] == 2

    states = [post(client, f"{address}{do}/").json()["state"] for do in ("start", "pause", "resume", "cancel")]
    assert states[1] == "paused" and states[3] == "cancelled"
    again = post(client, f"{address}cancel/")
    assert (again.status_code, again.json()["reason"]) == (422, "state")
    [listed] = client.get(ROOT).json()["results"]
    assert listed["counts"]["skipped"] + listed["counts"]["sent"] == 2


@pytest.mark.parametrize(
    ("fields", "status", "where"),
    [
        ({"variables": {}}, 400, "variables"),
        ({"recipients": []}, 400, "recipients"),
        ({"recipients": [{"phone": "51900555014"}], "label": "botas"}, 400, "recipients"),
        ({"per_minute": 0}, 400, "per_minute"),
        ({"name": ""}, 400, "name"),
        ({"template": {"name": "otra", "language": "es"}}, 422, "reason"),
        ({"number": "0199f3a0-0000-7000-8000-0000000000d9"}, 404, "detail"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(ours, client, written, fields, status, where):
    answer = post(client, "", written(**fields))
    assert answer.status_code == status and answer.json()[where]
    with ours.transaction():
        assert not Broadcast.objects.exists()


def test_a_moment_that_is_over_is_refused(ours, client, written):
    with ours.transaction():
        conversation(ours)
    address = f"{post(client, '', written()).json()['id']}/"
    broadcasting.run(clock.now())
    assert post(client, f"{address}start/", {"at": "2020-01-01T00:00:00Z"}).status_code == 400
    later = post(client, f"{address}start/", {"at": "2099-01-01T00:00:00Z"}).json()
    assert (later["state"], later["scheduled_at"]) == ("scheduled", "2099-01-01T00:00:00Z")


def test_agents_and_other_companies_get_nowhere(ours, theirs, client, written, api):  # noqa: F811
    address = f"{post(client, '', written()).json()['id']}/"
    assert api(ours.ana).get(ROOT).status_code == 403
    assert post(api(ours.ana), "", written()).status_code == 403
    assert api(theirs.owner).get(ROOT + address).status_code == 404
    assert post(api(theirs.owner), f"{address}cancel/").status_code == 404


def test_many_are_listed_with_as_many_queries_as_one(ours, client, written, django_assert_max_num_queries):
    for n in range(4):
        post(client, "", written(name=f"Oferta {n}"))
    with django_assert_max_num_queries(16):
        assert len(client.get(ROOT).json()["results"]) == 4
