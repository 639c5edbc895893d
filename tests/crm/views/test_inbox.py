"""The list: who is in it, in which order, for whom; and that its address is all it needs."""

from datetime import timedelta
from uuid import uuid4

import pytest

from crm.models import ConversationStatus
from crm.views import listing
from tests.crm.views.talk import conversation, inbound, outbound


def names(response) -> list[str]:
    """The people in the rows, top to bottom."""
    return [part.split('"')[0] for part in response.content.decode().split('data-name="')[1:]]


def test_signed_out_goes_to_sign_in(client, ours):
    assert client.get("/inbox/").headers["Location"] == "/accounts/login/?next=/inbox/"
    assert client.get("/inbox/", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/accounts/login/"


def test_row_shows_name_message_number_queue_and_window(ana, ours, now):
    with ours.transaction():
        inbound(conversation(ours, "Rosa Quispe", now=now, wrote_at=now - timedelta(hours=2)), "¿Tienen la 37?")

    page = ana.get("/inbox/").content.decode()

    for shown in ("Rosa Quispe", "¿Tienen la 37?", "ours ventas", "Ventas", "21 h 59", 'data-state="open"'):
        assert shown in page


def test_waiting_come_by_closing_window_then_the_missed_then_the_answered(ana, ours, now):
    with ours.transaction():
        conversation(ours, "Fresh", now=now, wrote_at=now - timedelta(minutes=5))
        conversation(ours, "Missed", now=now, wrote_at=now - timedelta(hours=30))
        conversation(ours, "Answered", now=now, waiting_since=None, unread_count=0)
        conversation(ours, "Closing", now=now, wrote_at=now - timedelta(hours=23))
        conversation(ours, "Closed", now=now, waiting_since=None, status=ConversationStatus.CLOSED)

    assert names(ana.get("/inbox/")) == ["Closing", "Fresh", "Missed", "Answered"]


def test_running_out_shows_those_who_wait_with_less_than_two_hours(ana, ours, now):
    with ours.transaction():
        conversation(ours, "One hour", now=now, wrote_at=now - timedelta(hours=23))
        conversation(ours, "Three hours", now=now, wrote_at=now - timedelta(hours=21))
        conversation(ours, "Answered", now=now, wrote_at=now - timedelta(hours=23), waiting_since=None)

    assert names(ana.get("/inbox/?mode=soon")) == ["One hour"]


def test_triage_is_for_those_who_see_it(client, ours, now):
    with ours.transaction():
        conversation(ours, "Lost", now=now, queue=ours.triage)

    client.force_login(ours.supervisor.user)
    assert names(client.get("/inbox/?mode=triage")) == ["Lost"]
    client.force_login(ours.ana.user)
    assert names(client.get("/inbox/?mode=triage")) == []


def test_agent_sees_own_queues_and_what_is_theirs(ana, ours, theirs, now):
    with ours.transaction():
        conversation(ours, "In my queue", now=now)
        conversation(ours, "Mine elsewhere", now=now, queue=ours.support, assignee=ours.ana)
        conversation(ours, "Not mine", now=now, queue=ours.support)
    with theirs.transaction():
        conversation(theirs, "Another company's", now=now)

    assert sorted(names(ana.get("/inbox/?mode=all"))) == ["In my queue", "Mine elsewhere"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("assignee=me", ["Mine"]),
        ("assignee=nobody", ["Free"]),
        ("status=closed", ["Closed"]),
        ("status=snoozed", []),
        ("status=nonsense&queue=nonsense&assignee=nonsense&mode=all", ["Closed", "Free", "Mine"]),
    ],
)
def test_filters_are_in_the_address(supervisor, ours, now, address, expected):
    with ours.transaction():
        conversation(ours, "Free", now=now)
        conversation(ours, "Mine", now=now, assignee=ours.supervisor)
        conversation(ours, "Closed", now=now, assignee=ours.ana, status=ConversationStatus.CLOSED, waiting_since=None)

    assert sorted(names(supervisor.get(f"/inbox/?{address}"))) == expected


def test_queue_and_number_narrow_the_list(supervisor, ours, now):
    with ours.transaction():
        conversation(ours, "Sales", now=now)
        conversation(ours, "Support", now=now, queue=ours.support)

    assert names(supervisor.get(f"/inbox/?queue={ours.support.pk}")) == ["Support"]
    assert len(names(supervisor.get(f"/inbox/?number={ours.number.pk}"))) == 2
    assert names(supervisor.get(f"/inbox/?number={uuid4()}")) == []


@pytest.mark.parametrize("words", ["nunez", "NÚÑ", "maría nunez", "51944", "@mari"])
def test_search_finds_by_name_phone_and_username_whatever_the_mode(ana, ours, now, words):
    with ours.transaction():
        found = conversation(
            ours, "María Núñez", now=now, status=ConversationStatus.CLOSED, waiting_since=None, identified=True
        )
        found.contact.identities.update(value="51944000111", address="51944000111")
        found.contact.username = "@mari.n"
        found.contact.save()
        conversation(ours, "Rosa", now=now)

    assert names(ana.get("/inbox/", {"q": words})) == ["María Núñez"]


def test_nobody_found_says_so(ana, ours):
    assert "Nobody found" in ana.get("/inbox/?q=zzz").content.decode()


def test_counters_count_what_each_mode_shows(supervisor, ours, now):
    with ours.transaction():
        for hours in (1, 2, 23, 30):
            conversation(ours, f"Waits {hours}", now=now, wrote_at=now - timedelta(hours=hours))
        conversation(ours, "Answered", now=now, waiting_since=None)

    counted = supervisor.get("/inbox/").context["counters"]

    assert (counted.answer, counted.soon, counted.triage, counted.answered, counted.all) == (4, 1, 0, 1, 5)


@pytest.mark.parametrize(
    "address", ["/inbox/", "/inbox/?mode=all", "/inbox/?assignee=me", "/inbox/?q=Rosa", "/contacts/"]
)
def test_the_rail_says_how_many_wait_for_me_whatever_the_page_shows(ana, ours, now, address):
    with ours.transaction():
        conversation(ours, "Rosa", now=now)
        conversation(ours, "Missed", now=now, wrote_at=now - timedelta(hours=30))
        conversation(ours, "Theirs", now=now, queue=ours.support)
        conversation(ours, "Answered", now=now, waiting_since=None, unread_count=0)

    page = ana.get(address).content.decode()

    assert page.split('id="rail-waiting">')[1].split("<")[0] == "2"


def test_a_section_is_counted_where_its_head_stands(ana, ours, now, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    with ours.transaction():
        for place in range(3):
            conversation(ours, f"Waiting {place}", now=now, wrote_at=now - timedelta(minutes=place))
        for place in range(2):
            conversation(ours, f"Answered {place}", now=now, waiting_since=None, unread_count=0)

    first = ana.get("/inbox/")
    second = ana.get("/inbox/", {"after": first.context["listing"].next}, headers={"HX-Request": "true"})
    changes = ana.get("/inbox/changes/").content.decode()

    assert 'id="section-answered"' not in first.content.decode()
    assert first.context["counters"].answered == 0
    for shown in (second.content.decode(), changes):
        assert shown.split('id="section-answered"')[1].split("<span>")[1].split("</span>")[0] == "2"


def test_pages_follow_each_other_without_gap_or_repetition(ana, ours, now, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 3)
    with ours.transaction():
        for place in range(4):
            conversation(ours, f"Waits {place}", now=now, wrote_at=now - timedelta(hours=5 - place))
        for place in range(3):
            made = conversation(ours, f"Answered {place}", now=now, waiting_since=None)
            outbound(made, at=now - timedelta(minutes=place))

    seen, cursor = [], ""
    for _page in range(4):
        response = ana.get("/inbox/", {"after": cursor} if cursor else {})
        seen += names(response)
        cursor = response.context["listing"].next
        if not cursor:
            break

    assert seen == ["Waits 0", "Waits 1", "Waits 2", "Waits 3", "Answered 0", "Answered 1", "Answered 2"]


@pytest.mark.parametrize("cursor", ["rubbish", "waiting~x~y", "~~", "elsewhere~~"])
def test_a_damaged_cursor_is_no_error(ana, ours, cursor):
    assert ana.get("/inbox/", {"after": cursor}).status_code == 200


def test_htmx_gets_the_list_alone_and_the_address_to_show(ana, ours, now):
    with ours.transaction():
        rosa = conversation(ours, now=now)

    answer = ana.get(
        "/inbox/?mode=soon",
        headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver/inbox/{rosa.pk}/?mode=all"},
    )

    assert "<html" not in answer.content.decode()
    assert answer.headers["HX-Push-Url"] == f"/inbox/{rosa.pk}/?mode=soon"


def test_going_back_in_the_history_gets_the_whole_page(ana, ours):
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}

    assert "<html" in ana.get("/inbox/", headers=headers).content.decode()


def test_a_full_page_costs_no_more_queries_than_one_row(ana, ours, now, django_assert_max_num_queries):
    with ours.transaction():
        for place in range(60):
            inbound(conversation(ours, f"Waits {place}", now=now))

    with django_assert_max_num_queries(22):
        page = ana.get("/inbox/")

    assert len(names(page)) == listing.PAGE


def test_no_page_is_kept_by_anybody_between(ana, ours):
    headers = ana.get("/inbox/").headers

    assert "no-store" in headers["Cache-Control"]
    assert "HX-Request" in headers["Vary"]
