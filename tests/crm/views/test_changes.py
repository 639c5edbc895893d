"""What an open page fetches after it heard that something changed."""

from datetime import timedelta
from uuid import uuid4

import pytest

from crm.models import ConversationStatus
from tests.crm.views.talk import conversation, inbound


def changes(client, **query) -> str:
    answer = client.get("/inbox/changes/", query, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def test_named_conversations_come_as_rows_or_as_gone(ana, ours, now):
    with ours.transaction():
        waits = conversation(ours, "Waits", now=now)
        closed = conversation(ours, "Closed", now=now, status=ConversationStatus.CLOSED, waiting_since=None)
        hidden = conversation(ours, "Hidden", now=now, queue=ours.support)
    unheard_of = uuid4()

    answer = changes(ana, ids=f"{waits.pk},{closed.pk},{hidden.pk},{unheard_of},rubbish")

    assert f'id="conversation-{waits.pk}"' in answer
    assert "Hidden" not in answer
    for gone in (closed.pk, hidden.pk, unheard_of):
        assert f'data-id="{gone}"' in answer


def test_row_is_the_same_markup_as_on_the_page(ana, ours, now):
    with ours.transaction():
        inbound(conversation(ours, "Rosa", now=now, wrote_at=now - timedelta(hours=3)), "Hola")

    def row(html: str) -> str:
        return html[html.index('<li class="list-row"') : html.index("</li>", html.index('<li class="list-row"'))]

    assert row(changes(ana)) == row(ana.get("/inbox/").content.decode())


def test_filters_of_the_page_decide_what_is_gone(ana, ours, now):
    with ours.transaction():
        free = conversation(ours, "Free", now=now)

    assert f'data-id="{free.pk}"' in changes(ana, ids=free.pk, assignee="me")
    assert f'data-id="{free.pk}"' not in changes(ana, ids=free.pk)


def test_open_conversation_comes_with_its_thread_only_when_it_changed(ana, ours, now):
    with ours.transaction():
        opened = conversation(ours, "Open", now=now)
        inbound(opened, "lo nuevo")
        other = conversation(ours, "Other", now=now)

    assert "lo nuevo" in changes(ana, ids=opened.pk, open=opened.pk).split("data-log")[1]
    assert "data-log" not in changes(ana, ids=other.pk, open=opened.pk)
    assert "data-log" in changes(ana, open=opened.pk)


def test_brief_answer_has_the_row_and_the_end_of_the_thread_alone(ana, ours, now):
    with ours.transaction():
        opened = conversation(ours, "Open", now=now)
        for place in range(12):
            inbound(opened, f"message {place:02}", at=now - timedelta(minutes=12 - place))

    brief = changes(ana, ids=opened.pk, open=opened.pk, brief="")

    assert f'id="conversation-{opened.pk}"' in brief
    assert "data-parts" not in brief
    thread = brief.split("data-brief")[1]
    assert "message 02" in thread and "message 11" in thread
    assert "message 01" not in thread
    # The one above is the same person's, so the first of them does not begin anything, here as in the whole page.
    whole = changes(ana, ids=opened.pk, open=opened.pk)
    begins = [part.split(">")[0] for part in thread.split("<article")[1:]]
    assert begins and not any("data-first" in each for each in begins)
    assert "data-parts" in whole and whole.split("data-log")[1].count("data-first") == 1


def test_brief_answer_costs_little(ana, ours, now, django_assert_max_num_queries):
    with ours.transaction():
        many = [conversation(ours, f"Waits {place}", now=now) for place in range(20)]
        for each in many:
            inbound(each, "Hola")

    with django_assert_max_num_queries(24):
        changes(ana, ids=",".join(str(each.pk) for each in many), open=many[0].pk, brief="")


def test_brief_is_nothing_without_names(ana, ours, now):
    with ours.transaction():
        conversation(ours, "Waits", now=now)

    assert "data-parts" in changes(ana, brief="")


def test_conversation_that_was_taken_away_says_so(ana, ours, now):
    with ours.transaction():
        moved = conversation(ours, "Moved", now=now, queue=ours.support)

    assert f'data-lost="{moved.pk}"' in changes(ana, ids=moved.pk, open=moved.pk)


@pytest.mark.parametrize(
    ("hours", "writes", "gives_way"),
    [
        (1, "text", False),
        (30, "text", True),  # the window closed
        (30, "forced", False),
        (1, "forced", True),  # it opened again
        (1, "template", False),  # chosen by hand: not taken away
        (30, "template", False),
    ],
)
def test_composer_gives_way_only_when_the_window_turned(ana, ours, now, hours, writes, gives_way):
    with ours.transaction():
        opened = conversation(ours, "Open", now=now, wrote_at=now - timedelta(hours=hours))

    assert ("data-composer-now" in changes(ana, open=opened.pk, writes=writes)) is gives_way


def test_a_hundred_conversations_cost_no_more_queries_than_one(ana, ours, now, django_assert_max_num_queries):
    with ours.transaction():
        many = [conversation(ours, f"Waits {place}", now=now) for place in range(40)]

    with django_assert_max_num_queries(23):
        changes(ana, ids=",".join(str(each.pk) for each in many))
