"""Beginning with many people: asked for in a request, done page by page, once each, whoever is killed."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from crm import contacts
from crm.models import Identity, IdentityKind
from sequences import crowds
from sequences.models import BulkEnrollment, Enrollment, Sequence
from tests.cast import signed_in
from tests.crm.views.talk import NOON, conversation
from tests.sequences.conftest import build, step
from whatsapp import phones

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(ours):
    """Four who wrote to us, two of them with the label; their phones are known as WhatsApp knows them."""
    with ours.transaction():
        found = [conversation(ours, f"Cliente {place}") for place in range(4)]
        for talk in found:
            value = phones.canonical(talk.contact.phone)
            Identity.objects.create(
                tenant=ours.tenant, contact=talk.contact, kind=IdentityKind.PHONE, value=value, address=value
            )
        for talk in found[:2]:
            contacts.change(talk.contact, {"labels": ["vip"]}, now=NOON)
    return found


def begun(company) -> set:
    with company.transaction():
        return set(Enrollment.objects.values_list("conversation", flat=True))


def last(company) -> BulkEnrollment:
    with company.transaction():
        return BulkEnrollment.objects.order_by("-created_at", "-id").first()


def test_people_of_a_label_then_of_a_list_begin_once_each(supervisor, ours, people, monkeypatch):
    monkeypatch.setattr("tenants.clock.now", lambda: NOON)
    with ours.transaction():
        sequence = build(ours, step("uno"))
    address = f"/sequences/{sequence.pk}/begin/"
    supervisor.post(address, {"label": "vip"})
    assert begun(ours) == set()
    page = supervisor.get(f"/sequences/{sequence.pk}/enrollments/").content.decode()
    assert "hx-get" in page
    assert "<progress" in page
    crowds.run(NOON)
    assert begun(ours) == {talk.pk for talk in people[:2]}
    assert (last(ours).begun, last(ours).total, last(ours).is_over) == (2, 2, True)

    monkeypatch.setattr("tenants.clock.now", lambda: NOON + timedelta(minutes=1))
    written = "\n".join(f"+{talk.contact.phone}" for talk in people[1:3]) + "\nnada, +51 900 000 001"
    supervisor.post(address, {"written": written})
    crowds.run(NOON)
    assert begun(ours) == {talk.pk for talk in people[:3]}
    assert (last(ours).begun, last(ours).total) == (1, 3)
    assert "1 person began." in supervisor.get(f"/sequences/{sequence.pk}/enrollments/").content.decode()


def test_the_phones_of_a_file_begin(supervisor, ours, people, monkeypatch):
    monkeypatch.setattr("tenants.clock.now", lambda: NOON)
    with ours.transaction():
        sequence = build(ours, step("uno"))
    rows = "nombre;celular\n" + "".join(f"{talk.contact.name};+{talk.contact.phone}\n" for talk in people[:3])
    file = SimpleUploadedFile("lista.csv", rows.encode(), "text/csv")
    supervisor.post(f"/sequences/{sequence.pk}/begin/", {"file": file})
    crowds.run(NOON)
    assert begun(ours) == {talk.pk for talk in people[:3]}

    file = SimpleUploadedFile("lista.csv", b"nombre\nRosa\n", "text/csv")
    answer = supervisor.post(f"/sequences/{sequence.pk}/begin/", {"file": file}, follow=True)
    assert "one of them “phone”" in answer.content.decode()


def test_page_after_page_and_again_after_a_crash(ours, people, monkeypatch):
    monkeypatch.setattr(crowds, "PAGE", 2)
    with ours.transaction():
        sequence = build(ours, step("uno"))
        crowds.ask(sequence, now=NOON, by=ours.supervisor, days=30)
    real, calls = crowds.enroll, []

    def dies_at_the_second(*args, **kwargs):
        calls.append(args)
        count = real(*args, **kwargs)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return count

    monkeypatch.setattr(crowds, "enroll", dies_at_the_second)
    with pytest.raises(RuntimeError):
        crowds.run(NOON)
    assert (len(begun(ours)), last(ours).looked_at, last(ours).is_over) == (2, 2, False)
    crowds.run(NOON)
    assert begun(ours) == {talk.pk for talk in people}
    assert (last(ours).begun, last(ours).looked_at, last(ours).is_over) == (4, 4, True)


def test_only_those_who_wrote_lately_and_only_of_its_number(ours, people):
    with ours.transaction():
        people[0].last_inbound_at = NOON - timedelta(days=8)
        people[0].save()
        sequence = build(ours, step("uno"))
        crowds.ask(sequence, now=NOON, by=ours.supervisor, days=7)
    crowds.run(NOON)
    assert begun(ours) == {talk.pk for talk in people[1:]}


@pytest.mark.parametrize(
    ("fields", "words"),
    [({}, "Say with whom"), ({"days": "x"}, "whole number"), ({"label": "x" * 61}, "at most 60")],
)
def test_what_cannot_be_is_said_and_begins_nothing(supervisor, ours, fields, words):
    with ours.transaction():
        sequence = build(ours, step("uno"))
    answer = supervisor.post(f"/sequences/{sequence.pk}/begin/", fields, follow=True)
    assert words in answer.content.decode()
    assert last(ours) is None


def test_one_that_says_nothing_yet_begins_with_nobody(supervisor, ours):
    with ours.transaction():
        sequence = Sequence.objects.create(tenant=ours.tenant, name="Vacía")
    answer = supervisor.post(f"/sequences/{sequence.pk}/begin/", {"label": "vip"})
    assert answer.url == f"/sequences/{sequence.pk}/"
    assert last(ours) is None


def test_an_agent_begins_with_no_crowd(ours):
    with ours.transaction():
        sequence = build(ours, step("uno"))
    assert signed_in(ours.ana).post(f"/sequences/{sequence.pk}/begin/", {"label": "vip"}).status_code == 403
