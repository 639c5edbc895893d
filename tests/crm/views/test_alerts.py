"""Alerts in one place: the worst first, what solves each, who knows of it; and the letter about them."""

from datetime import timedelta

import pytest
from django.core import mail

from crm import alert_words, bells
from tenants import clock
from tenants.alerts import raise_alert, words_of
from tenants.context import system_transaction
from tenants.models import Alert, Severity
from tests.crm.views.wizard import ENGLISH, signed_in

pytestmark = pytest.mark.django_db


def alert(company, kind: str = "number-without-queue", severity: Severity = Severity.WARNING, **facts) -> Alert:
    with company.transaction():
        subject = str(company.number.pk)
        raise_alert(
            tenant_id=company.tenant.pk, kind=kind, subject=subject, severity=severity,
            facts={"number": str(company.number)} | facts,
        )  # fmt: skip
        Alert.objects.filter(kind=kind).update(raised_at=clock.now() - timedelta(minutes=5))
        return Alert.objects.get(kind=kind)


def page(client, membership, url: str = "/alerts/") -> str:
    return signed_in(client, membership).get(url, headers=ENGLISH).content.decode()


def test_the_worst_comes_first_with_what_solves_it_and_nothing_of_others(client, ours, theirs):
    alert(ours)
    alert(ours, "token-refused", Severity.CRITICAL)
    alert(theirs, "number-paused", reason="auth")

    said = page(client, ours.supervisor)

    assert said.index("Meta refuses the token of ours ventas") < said.index("ours ventas has no queue")
    assert f'href="/numbers/{ours.number.pk}/#token">Paste a token' in said
    assert "theirs" not in said


def test_an_agent_does_not_see_them(client, ours):
    one = alert(ours)
    signed_in(client, ours.ana)

    assert client.get("/alerts/").status_code == 403
    assert client.post(f"/alerts/{one.pk}/", {"do": "seen"}).status_code == 403


@pytest.mark.parametrize(("kind", "action", "page_url"), [
    ("erasure-late", "See the erasures", "/contacts/erasures/"),
    ("flow-key-mismatch", "See the keys", "/settings/flows/"),
])  # fmt: skip
def test_who_may_not_open_the_page_is_told_who_can(client, ours, kind, action, page_url):
    alert(ours, kind)
    way = f'href="{page_url}">{action}'

    for_supervisor, for_admin = page(client, ours.supervisor), page(client, ours.admin)

    assert way in for_admin
    assert way not in for_supervisor
    assert f"{action}: an administrator can" in for_supervisor
    assert client.get(page_url).status_code == 200
    assert signed_in(client, ours.supervisor).get(page_url).status_code == 403


def test_somebody_says_that_they_know_and_takes_it_back(client, ours):
    one = alert(ours)
    signed_in(client, ours.supervisor)

    assert client.post(f"/alerts/{one.pk}/", {"do": "seen"}).url == "/alerts/"
    assert "has no queue" not in page(client, ours.supervisor)
    assert "seen by Supervisor" in page(client, ours.supervisor, "/alerts/?show=seen")

    again = client.post(f"/alerts/{one.pk}/", {"do": "reopen"}, headers={**ENGLISH, "HX-Request": "true"})
    assert f'id="alert-{one.pk}"' in again.content.decode() and "Mark as seen" in again.content.decode()
    assert "has no queue" in page(client, ours.supervisor)


def test_what_is_over_is_shown_as_over_and_cannot_be_reopened(client, ours):
    one = alert(ours)
    with ours.transaction():
        Alert.objects.update(resolved_at=clock.now())
    signed_in(client, ours.owner)
    client.post(f"/alerts/{one.pk}/", {"do": "reopen"})

    assert "has no queue" not in page(client, ours.owner)
    assert "solved" in page(client, ours.owner, "/alerts/?show=over")
    with ours.transaction():
        assert Alert.objects.get().acknowledged_at is None


def test_another_companys_alert_is_not_there(client, ours, theirs):
    one = alert(theirs)

    assert signed_in(client, ours.owner).post(f"/alerts/{one.pk}/", {"do": "seen"}).status_code == 404
    with theirs.transaction():
        assert Alert.objects.get().acknowledged_at is None


def test_the_platforms_own_alerts_are_not_a_companys(client, ours):
    with system_transaction():
        raise_alert(tenant_id=None, kind="webhook-dead", subject="7", severity=Severity.CRITICAL)

    assert "Nothing needs you" in page(client, ours.owner)


@pytest.mark.parametrize(("who", "shown"), [("supervisor", True), ("ana", False)])
def test_the_rail_counts_them_for_who_may_see_them(client, ours, who, shown):
    alert(ours)
    said = page(client, getattr(ours, who), "/inbox/")

    assert ('aria-label="Alerts, 1"' in said) == shown
    assert ('href="/numbers/"' in said) == shown


def test_on_a_phone_ones_own_page_leads_there(client, ours):
    alert(ours)

    more = page(client, ours.supervisor, "/profile/").split("more-places")[1]
    assert all(f'href="{address}"' in more for address in ("/alerts/", "/broadcasts/", "/dashboard/"))
    assert 'aria-label="More, 1"' in page(client, ours.supervisor, "/inbox/")
    assert 'href="/alerts/"' not in page(client, ours.ana, "/profile/")


@pytest.mark.parametrize("kind", sorted(alert_words._WRITERS))
def test_every_kind_says_what_is_so_what_to_do_and_where(ours, kind):
    one = alert(ours, kind)
    with ours.transaction():
        words = words_of(one)

    assert words.title and words.advice and words.action
    assert words.url.startswith(
        ("/numbers/", "/dashboard/", "/templates/", "/settings/flows/", "/admin/", "/contacts/erasures/")
    )
    assert "%(" not in f"{words.title}{words.advice}"


def test_a_kind_that_nobody_has_words_for_shows_its_own(ours):
    one = alert(ours, "something-new")

    assert words_of(one).title == "Something new" and words_of(one).about == "ours ventas"


# --- By mail -------------------------------------------------------------------------------------------------------------


def letters() -> list[tuple[str, list[str]]]:
    sent = sorted((letter.subject, letter.to) for letter in mail.outbox)
    mail.outbox.clear()
    return sent


def test_a_companys_alerts_come_in_one_letter_to_each_owner_and_admin_once(ours, theirs, settings):
    alert(ours)
    alert(ours, "token-refused", Severity.CRITICAL)
    alert(theirs)

    bells.mail_alerts()

    assert {to for letter in mail.outbox for to in letter.to} == {
        "owner@ours.test", "admin@ours.test", "owner@theirs.test", "admin@theirs.test",
    }  # fmt: skip
    assert len(mail.outbox) == 4
    body = next(letter.body for letter in mail.outbox if letter.to == ["owner@ours.test"])
    assert body.index("token") < body.index("/alerts/") and settings.BASE_URL in body and "theirs" not in body
    letters()
    bells.mail_alerts()
    assert letters() == []


def test_what_grew_worse_is_told_again_and_what_was_seen_is_not(ours):
    one = alert(ours)
    bells.mail_alerts()
    assert len(letters()) == 2

    alert(ours, severity=Severity.CRITICAL)
    bells.mail_alerts()
    assert len(letters()) == 2

    seen = alert(ours, "number-paused", reason="auth")
    with ours.transaction():
        Alert.objects.filter(pk__in=[one.pk, seen.pk]).update(acknowledged_at=clock.now())
    bells.mail_alerts()
    assert letters() == []


def test_what_is_seconds_old_waits_whether_it_heals_by_itself(ours):
    alert(ours)
    with ours.transaction():
        Alert.objects.update(raised_at=clock.now() - timedelta(seconds=30))

    bells.mail_alerts()

    assert letters() == []


def test_named_addresses_get_them_instead(ours, settings):
    settings.ALERT_EMAILS = ["guardia@example.test"]
    alert(ours)

    bells.mail_alerts()

    assert [to for _subject, to in letters()] == [["guardia@example.test"]]


def test_without_a_server_to_send_with_nothing_is_told_or_marked(ours, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    alert(ours)

    assert bells.mail_alerts() == 0
    with ours.transaction():
        assert Alert.objects.get().mailed_severity == ""


def test_an_address_that_a_server_refuses_does_not_keep_the_others_from_theirs(ours, monkeypatch):
    alert(ours)
    send = mail.EmailMessage.send

    def refuses(self, *args, **options):
        if self.to == ["admin@ours.test"]:
            raise OSError("no")
        return send(self, *args, **options)

    monkeypatch.setattr(mail.EmailMessage, "send", refuses)

    assert bells.mail_alerts() == 1
    assert [to for _subject, to in letters()] == [["owner@ours.test"]]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (131000, "send it again"),
        (190, "paste a new one"),
        (131042, "payment method"),
        (131031, "ask for a review"),
        (133010, "register the number again"),
        (987654, "error codes"),
        (None, "error codes"),
    ],
)
def test_an_error_of_the_whole_number_says_what_to_do_by_its_code(client, ours, code, said):
    alert(ours, "number-errors", codes=[code], details=[f"Something went wrong ({code})"])

    shown = page(client, ours.supervisor)

    assert "Meta reports an error with ours ventas" in shown and f"Something went wrong ({code})" in shown
    assert said in shown


def test_several_errors_say_each_what_to_do_once(client, ours):
    alert(ours, "number-errors", codes=[131042, 131000, 2], details=["a (131042)", "b (131000)", "c (2)"])

    shown = page(client, ours.supervisor)

    assert "payment method" in shown and shown.count("send it again") == 1


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("ACCOUNT_DISCONNECTED", "Somebody disconnected it"),
        ("BUSINESS_DOWNGRADE", "plain WhatsApp"),
        ("CHANGE_NUMBER", "another number"),
        ("COMPANION_INACTIVITY", "30 days"),
        ("PRIMARY_INACTIVITY", "14 days"),
        ("USER_RE_REGISTERED", "set up anew"),
        ("A_REASON_OF_TOMORROW", "no longer lets this app"),
    ],
)
def test_a_phone_that_was_disconnected_is_told_with_its_reason(client, ours, reason, said):
    alert(ours, "number-disconnected", Severity.CRITICAL, event="PARTNER_REMOVED", reason=reason)

    shown = page(client, ours.supervisor)

    assert "ours ventas is no longer connected" in shown and said in shown and "Business platform" in shown
