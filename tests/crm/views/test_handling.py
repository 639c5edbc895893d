"""Closing, putting aside, assigning, transferring: each a resource, each answered the same way."""

from datetime import timedelta

import pytest
from django.utils import timezone

from crm.models import ConversationStatus
from tests.crm.views.talk import FRAGMENT


def act(client, conversation, resource, headers=FRAGMENT, **fields):
    return client.post(f"/conversations/{conversation.pk}/{resource}/", fields, headers=headers)


def fresh(company, conversation):
    with company.transaction():
        conversation.refresh_from_db()
    return conversation


def test_closing_and_taking_the_closure_away(ana, ours, rosa):
    closed = act(ana, rosa, "closure")
    assert closed.status_code == 204
    assert str(rosa.pk) in closed.headers["HX-Trigger"]
    assert fresh(ours, rosa).status == ConversationStatus.CLOSED

    assert ana.delete(f"/conversations/{rosa.pk}/closure/", headers=FRAGMENT).status_code == 204
    assert fresh(ours, rosa).status == ConversationStatus.OPEN


def test_without_javascript_a_form_closes_and_reopens(ana, ours, rosa):
    assert act(ana, rosa, "closure", headers={}).headers["Location"] == f"/inbox/{rosa.pk}/"
    page = ana.get(f"/inbox/{rosa.pk}/").content.decode()
    assert "Conversation closed." in page
    assert "Reopen" in page

    act(ana, rosa, "closure", headers={}, _method="delete")
    assert fresh(ours, rosa).status == ConversationStatus.OPEN


def test_putting_aside_until_tomorrow_morning_in_the_companys_time(ana, ours, rosa):
    act(ana, rosa, "snooze", preset="tomorrow")

    with timezone.override(ours.tenant.timezone):
        until = timezone.localtime(fresh(ours, rosa).snoozed_until)
        assert (until.hour, until.minute) == (9, 0)
        assert until.date() == timezone.localdate() + timedelta(days=1)
    assert rosa.status == ConversationStatus.SNOOZED

    act(ana, rosa, "snooze", _method="delete")
    assert fresh(ours, rosa).status == ConversationStatus.OPEN


def test_putting_aside_into_the_past_is_refused_with_a_sentence(ana, ours, rosa):
    answer = act(ana, rosa, "snooze", until="2020-01-01T09:00")

    assert "Choose a moment in the future." in answer.headers["HX-Trigger"]
    assert fresh(ours, rosa).status == ConversationStatus.OPEN


@pytest.mark.parametrize("until", ["soon", "2026-99-99T09:00"])
def test_a_moment_nobody_can_read_is_refused(ana, ours, rosa, until):
    answer = act(ana, rosa, "snooze", until=until)

    assert "Write a date and a time." in answer.headers["HX-Trigger"]
    assert fresh(ours, rosa).status == ConversationStatus.OPEN


def test_taking_giving_and_leaving(ana, ours, rosa):
    act(ana, rosa, "assignment", assignee=ours.ana.pk)
    assert fresh(ours, rosa).assignee_id == ours.ana.pk

    act(ana, rosa, "assignment", assignee=ours.supervisor.pk)
    assert fresh(ours, rosa).assignee_id == ours.supervisor.pk

    act(ana, rosa, "assignment", assignee="")
    assert fresh(ours, rosa).assignee_id is None


def test_nobody_gets_what_is_not_in_their_queue(ana, ours, theirs, rosa):
    refused = act(ana, rosa, "assignment", assignee=ours.luis.pk)
    foreign = act(ana, rosa, "assignment", assignee=theirs.ana.pk)

    assert "Transfer the conversation first." in refused.headers["HX-Trigger"]
    assert '"fail"' in foreign.headers["HX-Trigger"]
    assert fresh(ours, rosa).assignee_id is None


def test_transfer_to_a_queue_one_does_not_see_leads_back_to_the_list(ana, ours, rosa):
    answer = act(ana, rosa, "transfer", headers={}, queue=ours.support.pk, assignee=ours.luis.pk)

    assert answer.headers["Location"] == "/inbox/"
    assert (fresh(ours, rosa).queue_id, rosa.assignee_id) == (ours.support.pk, ours.luis.pk)
    assert ana.get(f"/inbox/{rosa.pk}/").status_code == 404


def test_another_companys_queue_cannot_be_chosen(ana, ours, theirs, rosa):
    act(ana, rosa, "transfer", queue=theirs.sales.pk)

    assert fresh(ours, rosa).queue_id == ours.sales.pk


@pytest.mark.parametrize("resource", ["closure", "snooze", "assignment", "transfer", "reading"])
def test_actions_need_the_right_to_see_and_a_post(client, ours, rosa, resource):
    client.force_login(ours.luis.user)

    assert act(client, rosa, resource).status_code == 404
    assert client.get(f"/conversations/{rosa.pk}/{resource}/").status_code == 405
