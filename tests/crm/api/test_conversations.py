"""Listing, filtering and routing conversations."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.models import Activity, ActivityKind, Contact, Conversation, ConversationStatus, Episode
from tenants import clock
from tests.crm.api.conftest import ROOT, ids, talk
from whatsapp.models import Number

URL = f"{ROOT}conversations/"

pytestmark = pytest.mark.django_db


def test_a_conversation_shows_who_where_and_how_long(api, ours, our_talk):
    shown = api(ours.owner).get(our_talk.url).json()

    assert shown["id"] == str(our_talk.conversation.pk)
    assert shown["contact"]["name"] == "Rosa"
    assert shown["contact"]["phone"] == "+51900555014"
    assert shown["contact"]["identities"] == [{"kind": "phone", "value": "51900555014"}]
    assert shown["number"]["phone_number_id"] == "100000000000001"
    assert shown["queue"] == {"id": str(ours.sales.pk), "name": "Ventas"}
    assert shown["assignee"] is None
    assert (shown["status"], shown["unread_count"], shown["window_state"]) == ("open", 1, "open")
    assert shown["window_expires_at"].endswith("Z")


def test_a_number_without_a_window_has_no_window_state(api, ours, our_talk):
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(provider="lite")

    assert api(ours.owner).get(our_talk.url).json()["window_state"] is None


def test_what_moved_last_comes_first_and_pages_hold_everything_once(api, ours):
    now = clock.now()
    talks = [talk(ours, f"5190055500{n}", at=now - timedelta(minutes=n % 4)) for n in range(9)]
    client = api(ours.owner)

    seen, address = [], f"{URL}?page_size=2"
    while address:
        page = client.get(address)
        seen += ids(page)
        address = page.json()["next"]

    assert sorted(seen) == sorted(each.conversation.pk for each in talks)
    moments = {each.conversation.pk: each.conversation.last_message_at for each in talks}
    assert [moments[key] for key in seen] == sorted(moments.values(), reverse=True)


def test_conversations_in_which_nothing_was_said_are_paged_too(api, ours):
    for n in range(5):
        talk(ours, f"5190055500{n}", last_message_at=None)
    talk(ours, "51900555009")
    client = api(ours.owner)

    seen, address = [], f"{URL}?page_size=2"
    while address:
        page = client.get(address)
        seen += ids(page)
        address = page.json()["next"]

    assert len(seen) == len(set(seen)) == 6


@pytest.mark.parametrize(
    "cursor", ["cD1ub25zZW5zZQ==", "cD0lMDA=", "%%%", "bz0tMQ==", "é", "cD0yMDI2LTEzLTQw", "bz05OTk5OTk5OTk5"]
)
@pytest.mark.parametrize("resource", ["conversations", "contacts", "queues", "templates"])
def test_a_made_up_cursor_is_bad_input(api, ours, resource, cursor):
    assert api(ours.owner).get(f"{ROOT}{resource}/", {"cursor": cursor}).status_code in (200, 400)


def test_a_cursor_that_is_no_moment_is_told(api, ours):
    answer = api(ours.owner).get(URL, {"cursor": "cD1ub25zZW5zZQ=="})  # p=nonsense

    assert answer.status_code == 400
    assert list(answer.json()) == ["cursor"]


def test_a_list_of_many_asks_the_database_as_often_as_a_list_of_one(api, ours, our_talk):
    client = api(ours.owner)
    client.get(URL)

    with CaptureQueriesContext(connection) as of_one:
        client.get(URL)
    for n in range(6):
        talk(ours, f"5190055510{n}", assignee=ours.ana)
    with CaptureQueriesContext(connection) as of_many:
        assert len(client.get(URL).json()["results"]) == 7

    assert len(of_many) == len(of_one)


def test_a_list_does_not_open_the_tokens_of_numbers(api, ours, our_talk):
    with CaptureQueriesContext(connection) as queries:
        api(ours.owner).get(URL)

    assert not [query for query in queries if '"whatsapp_number"."token"' in query["sql"]]


@pytest.mark.parametrize(
    "phone", ["+51900555014", "51900555014", "900555014", "+51 900 555 014", "(51) 900-555-014", "0051900555014"]
)
def test_a_phone_is_found_in_any_spelling(api, ours, our_talk, phone):
    talk(ours, "51900555015")

    assert ids(api(ours.owner).get(URL, {"phone": phone})) == [our_talk.conversation.pk]


def test_a_plus_that_became_a_space_on_the_way_is_still_a_phone(api, ours, our_talk):
    assert ids(api(ours.owner).get(f"{URL}?phone=+51900555014")) == [our_talk.conversation.pk]


@pytest.mark.parametrize("phone", ["5511987654321", "551187654321", "+55 11 98765-4321"])
def test_a_brazilian_mobile_is_found_with_and_without_its_nine(api, ours, phone):
    brazilian = talk(ours, "5511987654321")

    assert ids(api(ours.owner).get(URL, {"phone": phone})) == [brazilian.conversation.pk]


@pytest.mark.parametrize("phone", ["+54 11 4321-5678", "+54 9 11 4321-5678", "5491143215678"])
def test_an_argentine_mobile_is_found_with_and_without_its_nine(api, ours, phone):
    argentine = talk(ours, "5491143215678")

    assert ids(api(ours.owner).get(URL, {"phone": phone})) == [argentine.conversation.pk]


def test_an_unknown_phone_finds_nothing(api, ours, our_talk):
    assert api(ours.owner).get(URL, {"phone": "+51900555000"}).json()["results"] == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": "closed"}, {"closed"}),
        ({"status": "open"}, {"waiting", "answered"}),
        ({"waiting": "true"}, {"waiting"}),
        ({"waiting": "false"}, {"closed", "answered"}),
        ({"queue": "soporte"}, {"answered"}),
        ({"number": "100000000000001"}, {"waiting", "closed", "answered"}),
        ({"assignee": "nobody"}, {"closed", "answered"}),
        ({"assignee": "me"}, set()),
        ({"status": "open", "assignee": "nobody"}, {"answered"}),
    ],
)
def test_filters(api, ours, filters, expected):
    talks = {
        "waiting": talk(ours, "51900555001", assignee=ours.ana),
        "closed": talk(ours, "51900555002", status=ConversationStatus.CLOSED, waiting_since=None),
        "answered": talk(ours, "51900555003", queue=ours.support, waiting_since=None),
    }

    found = ids(api(ours.owner).get(URL, filters))

    assert set(found) == {talks[name].conversation.pk for name in expected}


def test_filters_by_id(api, ours, our_talk):
    client = api(ours.owner)
    with ours.transaction():
        Conversation.objects.update(assignee=ours.ana)

    for filters in ({"queue": ours.sales.pk}, {"number": ours.number.pk}, {"assignee": ours.ana.pk}):
        assert ids(client.get(URL, filters)) == [our_talk.conversation.pk]
    assert ids(client.get(URL, {"queue": ours.support.pk})) == []


@pytest.mark.parametrize(
    "filters",
    [
        {"status": "opened"},
        {"queue": "no such queue"},
        {"queue": str(uuid4())},
        {"number": "999"},
        {"number": "a\x00b"},
        {"assignee": "somebody"},
        {"assignee": str(uuid4())},
        {"waiting": "perhaps"},
        {"phone": "abc"},
        {"phone": "1"},
        {"phone": "9" * 400},
        {"phone": ""},
    ],
)
def test_a_filter_that_means_nothing_is_bad_input(api, ours, our_talk, filters):
    answer = api(ours.owner).get(URL, filters)

    assert answer.status_code == 400
    assert list(answer.json()) == list(filters)


def test_an_agent_sees_their_queues_and_what_is_theirs(api, ours):
    in_sales = talk(ours, "51900555001").conversation.pk
    in_support = talk(ours, "51900555002", queue=ours.support).conversation.pk
    lent_to_ana = talk(ours, "51900555003", queue=ours.support, assignee=ours.ana).conversation.pk

    assert set(ids(api(ours.ana).get(URL))) == {in_sales, lent_to_ana}
    assert set(ids(api(ours.luis).get(URL))) == {in_support, lent_to_ana}
    assert set(ids(api(ours.supervisor).get(URL))) == {in_sales, in_support, lent_to_ana}


@pytest.mark.parametrize("what", ["", "messages/", "close/", "reopen/", "assign/", "transfer/", "snooze/", "read/"])
def test_what_an_agent_may_not_see_is_not_there(api, ours, our_talk, what):
    client = api(ours.luis)
    method = client.get if what in ("", "messages/") else client.post

    assert method(f"{our_talk.url}{what}").status_code == 404


@pytest.mark.parametrize(
    "name", ["nonsense", "%00", "1", "0199f3a0-0000-7000-8000", "0199f3a0-0000-4000-8000-0000000000ff"]
)
@pytest.mark.parametrize("resource", ["conversations", "contacts", "messages", "numbers", "queues", "templates"])
def test_a_name_that_is_no_id_is_not_there(api, ours, resource, name):
    answer = api(ours.owner).get(f"{ROOT}{resource}/{name}/")

    assert answer.status_code == 404
    assert "detail" in answer.json()


def test_closing_and_opening_again(api, ours, our_talk):
    client = api(ours.ana)

    assert client.post(f"{our_talk.url}close/").json()["status"] == "closed"
    assert client.post(f"{our_talk.url}close/").json()["unread_count"] == 0
    assert client.post(f"{our_talk.url}reopen/").json()["status"] == "open"
    with ours.transaction():
        kinds = Activity.objects.order_by("at").values_list("kind", "actor")
        assert list(kinds) == [(ActivityKind.CLOSED, ours.ana.pk), (ActivityKind.REOPENED, ours.ana.pk)]


def test_assigning_to_a_member_to_oneself_and_to_nobody(api, ours, our_talk):
    client = api(ours.owner)

    to_ana = client.post(f"{our_talk.url}assign/", {"assignee": str(ours.ana.pk)}, format="json").json()
    to_me = client.post(f"{our_talk.url}assign/", {"assignee": "me"}, format="json").json()
    to_nobody = client.post(f"{our_talk.url}assign/", {"assignee": None}, format="json").json()

    assert to_ana["assignee"] == {"id": str(ours.ana.pk), "name": "Ana"}
    assert to_me["assignee"]["id"] == str(ours.owner.pk)
    assert to_nobody["assignee"] is None


def test_assigning_to_who_is_not_in_the_queue_is_refused_with_the_reason(api, ours, our_talk):
    answer = api(ours.owner).post(f"{our_talk.url}assign/", {"assignee": str(ours.luis.pk)}, format="json")

    assert answer.status_code == 422
    assert answer.json()["reason"] == "cannot_route"
    assert "Luis" in answer.json()["detail"]


def test_transferring_by_name_or_id(api, ours, our_talk):
    client = api(ours.owner)

    moved = client.post(f"{our_talk.url}transfer/", {"queue": "Soporte", "assignee": str(ours.luis.pk)}, format="json")
    back = client.post(f"{our_talk.url}transfer/", {"queue": str(ours.sales.pk)}, format="json")

    assert (moved.json()["queue"]["name"], moved.json()["assignee"]["name"]) == ("Soporte", "Luis")
    assert (back.json()["queue"]["name"], back.json()["assignee"]) == ("Ventas", None)


def test_an_agent_who_hands_a_conversation_on_sees_it_go(api, ours, our_talk):
    client = api(ours.ana)

    answer = client.post(f"{our_talk.url}transfer/", {"queue": "Soporte"}, format="json")

    assert answer.status_code == 200
    assert client.get(our_talk.url).status_code == 404


def test_snoozing_until_a_moment(api, ours, our_talk):
    until = (clock.now() + timedelta(days=1)).replace(microsecond=0)

    shown = api(ours.ana).post(f"{our_talk.url}snooze/", {"until": until.isoformat()}, format="json").json()

    assert shown["status"] == "snoozed"
    assert shown["snoozed_until"] == until.isoformat().replace("+00:00", "Z")


def test_snoozing_into_the_past_is_refused(api, ours, our_talk):
    answer = api(ours.ana).post(f"{our_talk.url}snooze/", {"until": "2020-01-01T00:00:00Z"}, format="json")

    assert answer.status_code == 422


def test_reading_leaves_nothing_unread(api, ours, our_talk):
    assert api(ours.ana).post(f"{our_talk.url}read/").json()["unread_count"] == 0
    with ours.transaction():
        assert Conversation.objects.get().unread_count == 0


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("assign", {}, "assignee"),
        ("assign", {"assignee": ["me"]}, "assignee"),
        ("assign", {"assignee": "nobody"}, "assignee"),
        ("transfer", {}, "queue"),
        ("transfer", {"queue": None}, "queue"),
        ("transfer", {"queue": {"id": 1}}, "queue"),
        ("snooze", {}, "until"),
        ("snooze", {"until": "soon"}, "until"),
        ("snooze", {"until": 0}, "until"),
        ("snooze", [], "non_field_errors"),
    ],
)
def test_bad_input_of_routing_is_told_by_field(api, ours, our_talk, what, body, field):
    answer = api(ours.owner).post(f"{our_talk.url}{what}/", body, format="json")

    assert answer.status_code == 400
    assert list(answer.json()) == [field]


def test_starting_a_conversation_with_somebody_new(api, ours):
    answer = api(ours.ana).post(URL, {"number": "100000000000001", "phone": "900 555 077"}, format="json")

    assert answer.status_code == 201
    assert answer.json()["contact"]["phone"] == "+51900555077"
    assert answer.json()["queue"]["name"] == "Ventas"
    assert answer.json()["window_state"] == "closed"


def test_starting_a_conversation_that_is_there_returns_it(api, ours, our_talk):
    client = api(ours.ana)
    number = str(ours.number.pk)

    by_phone = client.post(URL, {"number": number, "phone": "+51900555014"}, format="json")
    by_contact = client.post(URL, {"number": number, "contact": str(our_talk.contact.pk)}, format="json")

    assert (by_phone.status_code, by_contact.status_code) == (200, 200)
    assert by_phone.json()["id"] == by_contact.json()["id"] == str(our_talk.conversation.pk)
    with ours.transaction():
        assert (Conversation.objects.count(), Contact.objects.count()) == (1, 1)


def test_a_number_without_queue_starts_in_triage(api, ours):
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(queue=None)

    answer = api(ours.owner).post(URL, {"number": "100000000000001", "phone": "900555077"}, format="json")

    assert answer.json()["queue"]["id"] == str(ours.triage.pk)


def test_an_agent_cannot_start_what_they_could_not_see_and_nothing_is_left_behind(api, ours):
    answer = api(ours.luis).post(URL, {"number": "100000000000001", "phone": "900555077"}, format="json")

    assert answer.status_code == 422
    assert answer.json()["reason"] == "other_queue"
    with ours.transaction():
        assert not Contact.objects.exists()
        assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"number": "100000000000001"},
        {"number": "100000000000001", "phone": "abc"},
        {"number": "100000000000001", "phone": "900555077", "contact": str(uuid4()).upper() + "x"},
        {"number": None, "phone": "900555077"},
        {"number": {}, "phone": "900555077"},
    ],
)
def test_bad_input_starts_nothing(api, ours, body):
    assert api(ours.owner).post(URL, body, format="json").status_code == 400


def test_the_first_message_opens_the_episode(api, ours, our_talk):
    """Starting says nothing yet; what reports count begins with the first word."""
    api(ours.owner).post(URL, {"number": "100000000000001", "phone": "900555077"}, format="json")

    with ours.transaction():
        assert not Episode.objects.exists()
