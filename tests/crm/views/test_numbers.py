"""The page of numbers and queues: who sees it, who changes what, and what it shows of each number."""

from datetime import timedelta

import pytest

from crm.models import Conversation
from crm.silences import SILENT
from tenants import clock
from tenants.models import Alert, Severity
from tests.crm.views.talk import conversation, outbound
from tests.crm.views.wizard import ENGLISH, signed_in
from whatsapp import health
from whatsapp.alerting import tell
from whatsapp.checking import PAUSED, WITHOUT_QUEUE
from whatsapp.models import Number, TokenState

pytestmark = pytest.mark.django_db
HTMX = {**ENGLISH, "HX-Request": "true"}


def page(client, membership, url: str = "/numbers/") -> str:
    return signed_in(client, membership).get(url, headers=ENGLISH).content.decode()


def change(company, **values) -> None:
    with company.transaction():
        Number.objects.filter(pk=company.number.pk).update(**values)


def told(company, kind: str, severity: Severity = Severity.WARNING, **facts) -> None:
    with company.transaction():
        tell(company.number, kind, True, severity=severity, **facts)


WRITING = ["queue/", "settings/", "test/", "mend/", "token/", "profile/"]


@pytest.mark.parametrize(("who", "status"), [("owner", 200), ("admin", 200), ("supervisor", 200), ("ana", 403)])
def test_supervisors_and_up_see_the_page(client, ours, who, status):
    signed_in(client, getattr(ours, who))

    assert client.get("/numbers/").status_code == status
    assert client.get(f"/numbers/{ours.number.pk}/").status_code == status
    assert client.get(f"/numbers/{ours.number.pk}/checks/", headers=HTMX).status_code == status


@pytest.mark.parametrize("address", [*WRITING, "connect/"])
@pytest.mark.parametrize("who", ["supervisor", "ana"])
def test_only_admins_and_owners_change_anything(client, ours, who, address):
    url = "/numbers/connect/" if address == "connect/" else f"/numbers/{ours.number.pk}/{address}"

    assert signed_in(client, getattr(ours, who)).post(url, {"queue": "", "do": "resume"}).status_code == 403


@pytest.mark.parametrize("address", ["", "checks/", *WRITING])
def test_a_number_of_another_company_is_not_there(client, ours, theirs, address):
    signed_in(client, ours.owner)
    url = f"/numbers/{theirs.number.pk}/{address}"

    answer = client.get(url) if address in ("", "checks/") else client.post(url, {"queue": "", "token": "EAA"})

    assert answer.status_code == 404


@pytest.mark.parametrize("address", ["mend/", "profile/"])
def test_what_is_metas_is_not_there_for_a_number_of_another_provider(client, ours, address):
    change(ours, provider="lite")
    signed_in(client, ours.admin)

    assert client.get(f"/numbers/{ours.number.pk}/").status_code == 200
    assert client.post(f"/numbers/{ours.number.pk}/{address}", {"do": "subscribed"}).status_code == 404


def test_a_supervisor_reads_without_buttons_that_would_not_work(client, ours):
    said = page(client, ours.supervisor, f"/numbers/{ours.number.pk}/")

    assert "Ventas" in said
    for word in ("Connect a number", 'name="queue"', 'name="token"', 'name="alias"'):
        assert word not in said, word


def test_each_number_shows_how_it_is(client, ours):
    now = clock.now()
    change(
        ours, quality="YELLOW", messaging_limit="TIER_10K", sends_per_second=20, token_state=TokenState.VALID,
        token_expires_at=now + timedelta(days=4, minutes=1), last_webhook_at=now - timedelta(minutes=3), is_test=True,
    )  # fmt: skip
    said = page(client, ours.admin)

    for words in (
        "ours ventas",
        "+51 1 555 0101",
        "Medium",
        "10,000",
        ">0 / 20<",
        "expires in 4 days",
        "3 min",
        "test mode",
    ):
        assert words in said, words


def test_the_pace_of_the_last_minute_stands_before_what_is_allowed(client, ours):
    now = clock.now()
    with ours.transaction():
        talk = conversation(ours, now=now)
        for seconds in range(61):
            outbound(talk, at=now - timedelta(seconds=30), accepted_at=now - timedelta(seconds=seconds % 50))
        outbound(talk, at=now - timedelta(minutes=5), accepted_at=now - timedelta(minutes=5))

    assert ">2 / 80<" in page(client, ours.admin)


@pytest.mark.parametrize(
    ("change_to", "words"),
    [
        ({"token_state": TokenState.EXPIRED}, "refused"),
        ({"token_state": TokenState.MISSING}, "missing"),
        ({"token_state": TokenState.UNKNOWN}, "not checked yet"),
        ({"token_state": TokenState.VALID}, "never expires"),
        ({"messaging_limit": "TIER_UNLIMITED"}, "no limit"),
        ({"paused_reason": "auth"}, "paused"),
        ({"is_active": False}, ">off<"),
        ({"last_webhook_at": None}, "none yet"),
    ],
)
def test_a_word_for_each_state(client, ours, change_to, words):
    change(ours, **change_to)

    assert words in page(client, ours.admin)


def test_a_silence_is_red_and_says_how_long(client, ours):
    change(ours, last_webhook_at=clock.now() - timedelta(minutes=47, seconds=20))
    told(ours, SILENT, Severity.CRITICAL, minutes=47, every=2)

    said = page(client, ours.admin)

    assert 'is-fail"><svg' in said and "silence of 47 min" in said
    assert "ours ventas has heard nothing for 47 min" in said and "one comes every 2 minutes" in said


def test_a_number_that_was_heard_since_is_not_red_although_the_sweep_has_not_come_yet(client, ours):
    change(ours, last_webhook_at=clock.now())
    told(ours, SILENT, minutes=47, every=2)

    assert "silence of" not in page(client, ours.admin)


def test_an_alert_stands_on_top_with_the_way_to_solve_it(client, ours, theirs):
    told(ours, WITHOUT_QUEUE)
    told(theirs, WITHOUT_QUEUE)

    said = page(client, ours.admin)

    assert "ours ventas has no queue" in said and "theirs" not in said
    assert f'href="/numbers/{ours.number.pk}/">Choose a queue' in said


def test_a_queue_is_chosen_in_the_row_and_what_waited_in_triage_follows(
    client, ours, django_capture_on_commit_callbacks
):
    with ours.transaction():
        talk = conversation(ours, queue=ours.triage)
    change(ours, queue=None)
    told(ours, WITHOUT_QUEUE)
    signed_in(client, ours.admin)

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(f"/numbers/{ours.number.pk}/queue/", {"queue": str(ours.support.pk)}, headers=HTMX)

    assert f'id="number-{ours.number.pk}"' in answer.content.decode()
    assert f'value="{ours.support.pk}" selected' in answer.content.decode()
    assert "has no queue" not in answer.content.decode() and "number-changed" in answer["HX-Trigger"]
    with ours.transaction():
        assert Number.objects.get(pk=ours.number.pk).queue_id == ours.support.pk
        assert not Alert.objects.filter(resolved_at=None).exists()
        assert Conversation.objects.get(pk=talk.pk).queue_id == ours.support.pk


def test_without_javascript_the_form_leads_back(client, ours):
    signed_in(client, ours.admin)

    assert client.post(f"/numbers/{ours.number.pk}/queue/", {"queue": ""}).url == "/numbers/"


@pytest.mark.parametrize("which", ["triage", "theirs", "nonsense"])
def test_a_queue_that_is_none_of_ours_is_refused(client, ours, theirs, which):
    given = {"triage": ours.triage.pk, "theirs": theirs.sales.pk, "nonsense": "x"}[which]
    signed_in(client, ours.admin).post(f"/numbers/{ours.number.pk}/queue/", {"queue": str(given)})

    with ours.transaction():
        assert Number.objects.get(pk=ours.number.pk).queue_id == ours.sales.pk


def settings_of(client, company, **said):
    known = {"alias": "PE Ventas", "is_active": "on", "phones": ""}
    return signed_in(client, company.admin).post(
        f"/numbers/{company.number.pk}/settings/", known | said, headers=ENGLISH
    )


def test_test_mode_takes_phones_as_people_write_them(client, ours):
    answer = settings_of(client, ours, is_test="on", phones="900 555 014\n+55 11 98765 4321, +51 900 555 014")

    assert answer.url == f"/numbers/{ours.number.pk}/"
    with ours.transaction():
        number = Number.objects.get(pk=ours.number.pk)
        assert (number.alias, number.is_test, number.test_phones) == (
            "PE Ventas",
            True,
            ["51900555014", "5511987654321"],
        )
    assert "+51 900 555 014" in page(client, ours.admin, f"/numbers/{ours.number.pk}/")


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"is_test": "on", "phones": ""}, "Write at least one phone"),
        ({"is_test": "on", "phones": "mañana"}, "“mañana” is no phone number"),
        ({"alias": ""}, "This field is required"),
    ],
)
def test_what_cannot_be_saved_is_explained_and_not_lost(client, ours, said, complaint):
    answer = settings_of(client, ours, **said)

    text = answer.content.decode()
    assert answer.status_code == 422 and complaint in text
    assert said.get("phones", "") in text
    with ours.transaction():
        assert Number.objects.get(pk=ours.number.pk).alias == "ours ventas"


def test_its_catalogue_is_written_where_its_products_can_be_sent(client, ours):
    settings_of(client, ours, catalog_id="194836987003835")
    with ours.transaction():
        assert Number.objects.get(pk=ours.number.pk).catalog_id == "194836987003835"
    assert 'value="194836987003835"' in page(client, ours.admin, f"/numbers/{ours.number.pk}/")

    assert "consist of digits" in settings_of(client, ours, catalog_id="mi catálogo").content.decode()

    change(ours, provider="twilio")
    assert 'name="catalog_id"' not in page(client, ours.admin, f"/numbers/{ours.number.pk}/")


def test_a_paused_number_is_let_go_on(client, ours):
    change(ours, paused_reason="billing")
    told(ours, PAUSED)
    assert "Meta asks for a valid payment method" in page(client, ours.admin, f"/numbers/{ours.number.pk}/")

    settings_of(client, ours, do="resume")

    with ours.transaction():
        assert Number.objects.get(pk=ours.number.pk).can_send
        assert not Alert.objects.filter(resolved_at=None).exists()


def test_the_history_tells_what_changed(client, ours):
    with ours.transaction():
        health.note(ours.number, "quality", before="GREEN", after="RED", at=clock.now())
        health.note(ours.number, "limit", before="TIER_10K", after="TIER_2K", at=clock.now())

    said = page(client, ours.supervisor, f"/numbers/{ours.number.pk}/")

    assert "High → Low" in said and "10,000 → 2,000" in said


def test_the_queues_are_shown_with_their_people_and_numbers(client, ours):
    said = page(client, ours.supervisor)

    assert "Soporte" in said and "receives by transfer" in said and "2 queues" in said


def test_it_takes_the_same_few_queries_however_many_numbers_there_are(client, ours, django_assert_max_num_queries):
    def asked() -> None:
        page(client, ours.admin)

    asked()
    with ours.transaction():
        for digit in range(9):
            number = Number.objects.create(
                tenant=ours.tenant, alias=f"n{digit}", phone_number_id=f"10000000000010{digit}", queue=ours.sales
            )
            tell(number, health.LOW_QUALITY, True)
    with django_assert_max_num_queries(24):
        client.get("/numbers/")
