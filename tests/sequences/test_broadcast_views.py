"""Broadcasts as a supervisor meets them: written, frozen with its price, started, paused, reported and taken away."""

import csv

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm.models import Contact, Message
from sequences import broadcasting, freezing
from sequences.models import Broadcast, Recipient
from tenants import clock
from tests.crm.views.talk import conversation
from tests.sequences.conftest import approve
from whatsapp.models import Template

pytestmark = pytest.mark.django_db


def signed_in(membership) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(membership.user)
    return client


@pytest.fixture
def client(ours) -> Client:
    with ours.transaction():
        approve(ours)
        for name in ("Rosa Quispe", "Luis Paz"):
            conversation(ours, name, now=clock.now())
    return signed_in(ours.supervisor)


def given(ours, **fields) -> dict:
    with ours.transaction():
        template = Template.objects.get(name="carrito")
    return {"name": "Oferta", "number": ours.number.pk, "template": template.pk, "label": "", "days": ""} | fields


def written(client, ours, **fields) -> Broadcast:
    response = client.post("/broadcasts/new/", given(ours, **fields))
    assert response.status_code == 302, response.content.decode()
    with ours.transaction():
        return Broadcast.objects.get()


def frozen(client, ours, **words) -> Broadcast:
    broadcast = written(client, ours)
    client.post(
        f"/broadcasts/{broadcast.pk}/words/",
        {"var_1": "{first_name}", "per_minute": "600", "failure_limit": "10"} | words,
    )
    broadcasting.run(clock.now())
    with ours.transaction():
        broadcast.refresh_from_db()
    return broadcast


def act(client, broadcast, do: str, **fields) -> str:
    response = client.post(f"/broadcasts/{broadcast.pk}/act/", {"do": do} | fields, follow=True)
    return response.content.decode()


def test_from_the_first_word_to_the_report(client, ours):
    broadcast = frozen(client, ours)
    page = client.get(f"/broadcasts/{broadcast.pk}/").content.decode()
    assert "2 people get it" in page and "Send now · US$" in page and "Peru" in page
    act(client, broadcast, "start")
    broadcasting.run(clock.now())
    with ours.transaction():
        assert Message.objects.filter(source="broadcast").count() == 2
        Message.objects.filter(source="broadcast").update(status="read")
    page = client.get(f"/broadcasts/{broadcast.pk}/?show=read").content.decode()
    assert "Rosa Quispe" in page and "2 of 2 handed over" in page
    assert "Oferta" in client.get("/broadcasts/").content.decode()


def test_the_page_looks_again_by_itself_only_while_something_happens(client, ours):
    broadcast = frozen(client, ours)
    assert "every 2s" not in client.get(f"/broadcasts/{broadcast.pk}/").content.decode()
    act(client, broadcast, "start")
    broadcasting.run(clock.now())
    assert "every 2s" in client.get(f"/broadcasts/{broadcast.pk}/").content.decode()


def test_pause_resume_and_cancel(client, ours):
    broadcast = frozen(client, ours)
    act(client, broadcast, "start")
    broadcasting.run(clock.now())
    assert "Somebody here paused it." in act(client, broadcast, "pause")
    assert "look again" in act(client, broadcast, "pause")
    act(client, broadcast, "resume")
    assert "cancelled" in act(client, broadcast, "cancel")
    assert (
        "The broadcast was cancelled before it went out." in client.get(f"/broadcasts/{broadcast.pk}/").content.decode()
    )


def test_a_file_is_read_and_its_faults_are_shown_with_their_lines(client, ours):
    file = SimpleUploadedFile("list.csv", b"phone,deuda\n+51900555001,S/ 40\nxx,S/ 1\n")
    broadcast = written(client, ours, file=file)
    page = client.get(f"/broadcasts/{broadcast.pk}/").content.decode()
    assert "{deuda}" in page
    client.post(f"/broadcasts/{broadcast.pk}/words/", {"var_1": "{deuda}", "per_minute": "60", "failure_limit": "5"})
    broadcasting.run(clock.now())
    page = client.get(f"/broadcasts/{broadcast.pk}/?show=left").content.decode()
    assert "This is not a phone number." in page and "<td>3</td>" in page
    with ours.transaction():
        assert Recipient.objects.get(fate="waiting").values == {"1": "S/ 40"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"name\nRosa\n", "one of them “phone”"), (b"", "empty"), (b"phone\n", "The file has no rows.")],
)
def test_a_file_that_is_no_list_is_refused_in_words(client, ours, content, sentence):
    response = client.post("/broadcasts/new/", given(ours, file=SimpleUploadedFile("list.csv", content)))
    assert response.status_code == 422 and sentence in response.content.decode()


def test_a_template_of_another_account_is_refused(client, ours):
    with ours.transaction():
        Template.objects.update(waba_id="999")
    response = client.post("/broadcasts/new/", given(ours))
    assert response.status_code == 422 and "another WhatsApp account" in response.content.decode()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"var_1": " "}, "Say what {{1}} becomes."), ({"per_minute": "0"}, "1 to 4,800"), ({"per_minute": "many"}, "1 to 4,800"),
        ({"failure_limit": "101"}, "1 to 100 percent"), ({"per_minute": "99999999999999999999"}, "1 to 4,800"),
    ],
)  # fmt: skip
def test_words_that_are_not_complete_are_refused(client, ours, words, sentence):
    broadcast = written(client, ours)
    fields = {"var_1": "{name}", "per_minute": "60", "failure_limit": "10"} | words
    page = client.post(f"/broadcasts/{broadcast.pk}/words/", fields, follow=True).content.decode()
    assert sentence in page
    with ours.transaction():
        assert Broadcast.objects.get().state == "draft"


@pytest.mark.parametrize("at", ["", "soon", "2020-01-01T10:00", "2026-13-40T99:00"])
def test_a_moment_that_is_over_or_none_is_refused(client, ours, at):
    assert "still to come" in act(client, frozen(client, ours), "schedule", at=at)


def test_it_is_scheduled_in_the_companys_zone(client, ours):
    broadcast = frozen(client, ours)
    act(client, broadcast, "schedule", at="2099-03-01T10:00")
    with ours.transaction():
        broadcast.refresh_from_db()
    assert broadcast.state == "scheduled" and broadcast.scheduled_at.isoformat() == "2099-03-01T15:00:00+00:00"


def test_once_begun_its_words_stay(client, ours):
    broadcast = frozen(client, ours)
    act(client, broadcast, "start")
    fields = {"var_1": "otra", "per_minute": "60", "failure_limit": "10"}
    page = client.post(f"/broadcasts/{broadcast.pk}/words/", fields, follow=True).content.decode()
    assert "cannot be changed" in page
    act(client, broadcast, "delete")
    with ours.transaction():
        assert Broadcast.objects.get().variables == {"1": "{first_name}"}


def test_a_draft_can_be_thrown_away(client, ours):
    broadcast = written(client, ours)

    act(client, broadcast, "delete")

    page = f"/broadcasts/{broadcast.pk}/"
    assert broadcast.name not in client.get("/broadcasts/").content.decode()
    assert client.get(page).status_code == 404
    assert client.post(f"{page}act/", {"do": "start"}).status_code == 404
    broadcasting.run(clock.now())
    with ours.transaction():
        assert not Broadcast.objects.exists()


def test_the_csv_has_every_line_and_no_formula(client, ours):
    with ours.transaction():
        Contact.objects.filter(name="Rosa Quispe").update(name="=cmd|calc")
    broadcast = frozen(client, ours)
    rows = list(
        csv.DictReader(client.get(f"/broadcasts/{broadcast.pk}/export/").content.decode("utf-8-sig").splitlines())
    )
    assert {row["name"] for row in rows} == {"'=cmd|calc", "Luis Paz"}
    assert [row["fate"] for row in rows] == ["waiting", "waiting"]


def test_agents_have_no_broadcasts(client, ours):
    agent = signed_in(ours.ana)
    assert agent.get("/broadcasts/").status_code == 403
    assert agent.post("/broadcasts/new/", given(ours)).status_code == 403


def test_a_page_of_many_takes_the_same_few_queries(client, ours, django_assert_max_num_queries):
    with ours.transaction():
        for number in range(40):
            conversation(ours, f"P{number}", now=clock.now())
    broadcast = frozen(client, ours)
    client.get(f"/broadcasts/{broadcast.pk}/")
    with django_assert_max_num_queries(24):
        client.get(f"/broadcasts/{broadcast.pk}/")
    with django_assert_max_num_queries(20):
        client.get("/broadcasts/")


def test_a_template_that_meta_stopped_is_said_with_the_reason(client, ours):
    broadcast = frozen(client, ours)
    assert "Meta paused this template." not in client.get(f"/broadcasts/{broadcast.pk}/").content.decode()
    with ours.transaction():
        Template.objects.update(status="PAUSED", reason="FIRST_PAUSE")
    assert "Meta paused this template." in client.get(f"/broadcasts/{broadcast.pk}/").content.decode()


def test_the_page_says_how_far_a_long_list_is(client, ours, monkeypatch):
    monkeypatch.setattr(freezing, "PAGE", 2)
    with ours.transaction():
        broadcast = Broadcast.objects.create(
            tenant=ours.tenant, name="Larga", number=ours.number, template_name="carrito", template_language="es",
            template_category="marketing", variables={"1": "{nombre}"}, created_at=clock.now(),
            rows=[[n + 2, f"+5190000000{n}", {"nombre": f"P{n}"}] for n in range(5)],
        )  # fmt: skip
        freezing.prepare(broadcast)
    freezing._page(ours.tenant.pk, broadcast.pk, freezing._File(), clock.now())

    page = client.get(f"/broadcasts/{broadcast.pk}/").content.decode()
    assert "2&nbsp;/&nbsp;5" in page and 'max="5" value="2"' in page and "every 2s" in page
    broadcasting.run(clock.now())
    assert "2&nbsp;/&nbsp;5" not in client.get(f"/broadcasts/{broadcast.pk}/").content.decode()
