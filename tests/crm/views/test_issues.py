"""Delivery issues as people meet them: the list with its evidence, the side panel, and what they say about one."""

from datetime import timedelta

import pytest

from crm.models import Conversation, DeliveryIssue, IssueState
from tenants import clock
from tests.crm.views.talk import NOON, conversation, outbound

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
ENGLISH = {"accept-language": "en"}


def suspect(company, name: str = "Marco Villanueva", *, level: str = "probable", likelihood: float = 0.957, **fields):
    with company.transaction():
        talk = conversation(company, name, suspicion=level, **fields.pop("talk", {}))
        sent = [outbound(talk, f"¿Sigues ahí, {n}?", at=NOON - n * DAY, status="sent") for n in (5, 4)]
        evidence = [
            {
                "message": str(message.pk), "at": message.sent_at.isoformat(), "kind": "stuck", "weight": weight,
                "others_sent": 12, "others_delivered": 11,
            }
            for message, weight in zip(sent, ("counted", "too_soon"), strict=True)
        ]  # fmt: skip
        defaults = {
            "misses": 2, "since": NOON - 5 * DAY, "found_at": NOON, "judged_at": NOON, "reached_at": NOON - 9 * DAY,
            "evidence": evidence,
        }  # fmt: skip
        return DeliveryIssue.objects.create(
            tenant=company.tenant, conversation=talk, number=company.number, level=level, likelihood=likelihood,
            **defaults | fields,
        )  # fmt: skip


def page(client, membership, url: str = "/issues/") -> str:
    client.force_login(membership.user)
    return client.get(url, headers=ENGLISH).content.decode()


def test_the_suspected_with_what_speaks_for_it(client, ours, theirs):
    suspect(ours)
    suspect(ours, "Solo Posible", level="possible", likelihood=0.4)
    suspect(theirs, "De Otra Empresa")
    said = page(client, ours.supervisor)
    for words in ("Marco Villanueva", "95 %", "2 messages of different days", "¿Sigues ahí, 5?", "11 others got theirs",
                  "sent less than 72 hours before", "Probably blocked us"):  # fmt: skip
        assert words in said, words
    assert "Solo Posible" not in said and "De Otra Empresa" not in said
    assert "Solo Posible" in page(client, ours.supervisor, "/issues/?show=possible")


def test_it_never_says_hundred_percent(client, ours):
    suspect(ours, level="very_likely", likelihood=0.999)
    said = page(client, ours.supervisor)
    assert "99 %" in said and "100 %" not in said


def test_an_agent_sees_those_of_their_conversations(client, ours):
    suspect(ours)
    suspect(ours, "De Soporte", talk={"queue": ours.support})
    said = page(client, ours.ana)
    assert "Marco Villanueva" in said and "De Soporte" not in said


@pytest.mark.parametrize(
    ("do", "state", "suspicion"), [("dismiss", "dismissed", ""), ("confirm", "confirmed", "very_likely")]
)
def test_a_person_says_what_is_true(client, ours, do, state, suspicion):
    issue = suspect(ours)
    client.force_login(ours.ana.user)
    response = client.post(f"/issues/{issue.pk}/", {"do": do, "next": "/pending/"})
    assert response.url == "/pending/"
    with ours.transaction():
        issue.refresh_from_db()
        assert (issue.state, issue.decided_by_id) == (state, ours.ana.pk)
        assert Conversation.objects.get().suspicion == suspicion
    assert client.post(f"/issues/{issue.pk}/", {"do": do, "next": "https://evil.example/"}).url == "/issues/"
    with ours.transaction():
        assert DeliveryIssue.objects.get().state == state


def test_what_is_not_theirs_to_decide_is_not_there(client, ours):
    issue = suspect(ours, talk={"queue": ours.support})
    client.force_login(ours.ana.user)
    assert client.post(f"/issues/{issue.pk}/", {"do": "confirm"}).status_code == 404


def test_the_record_of_a_number_counts_what_was_wrong(client, ours):
    for state in (IssueState.OPEN, IssueState.REACHED, IssueState.DISMISSED, IssueState.CONFIRMED):
        suspect(ours, state=state, closed_at=NOON if state in (IssueState.REACHED, IssueState.DISMISSED) else None)
    with ours.transaction():
        DeliveryIssue.objects.update(found_at=clock.now())
    said = page(client, ours.supervisor, "/issues/?show=closed")
    assert "50.0 %" in said and "Reached again" in said


def test_the_side_panel_and_the_row_show_it(client, ours):
    issue = suspect(ours)
    said = page(client, ours.ana, f"/inbox/{issue.conversation_id}/")
    assert "Likelihood of a block: 95 %" in said and "conv__suspect" in said


def test_pending_shows_the_likeliest(client, ours):
    suspect(ours)
    assert "Marco Villanueva" in page(client, ours.ana, "/pending/")


def test_it_takes_the_same_few_queries_however_many_there_are(client, ours, django_assert_max_num_queries):
    for _ in range(12):
        suspect(ours)
    page(client, ours.supervisor)
    with django_assert_max_num_queries(22):
        client.get("/issues/")
