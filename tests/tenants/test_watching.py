"""Heads that are kept elsewhere: what was cut off or grew again is seen by who knows them."""

import io

import pytest
from django.core.management import call_command

from crm import bells
from tenants.alerts import words_of
from tenants.audit import watching
from tenants.audit.sealing import seal
from tenants.audit.verifying import Kind
from tenants.context import system_transaction
from tenants.models import Alert, Queue
from tests.tenants.histories import cut, head_of, kinds


@pytest.mark.django_db
def test_a_cut_tail_is_seen_by_who_knows_the_head(grown):
    head = head_of(grown)

    cut(grown, keep=head.seq - 3)

    assert kinds(grown, known=head)[Kind.CUT] == 1


@pytest.mark.django_db
def test_a_tail_that_grew_again_is_not_the_one_that_was_kept(grown):
    head = head_of(grown)
    cut(grown, keep=head.seq - 3)
    for name in "abcde":
        with grown.transaction():
            Queue.objects.filter(pk=grown.sales.pk).update(name=name)
    seal()
    assert head_of(grown).seq >= head.seq

    assert kinds(grown, known=head)[Kind.REPLACED] == 1


@pytest.mark.django_db
def test_the_daily_look_remembers_heads_and_alerts_the_operator(grown, theirs, caplog):
    assert bells.verify_history() == 0
    caplog.set_level("INFO")
    head = head_of(grown)

    cut(grown, keep=head.seq - 3)
    assert bells.verify_history() > 0

    with system_transaction():
        alert = Alert.objects.get(kind=watching.TAMPERED)
        assert (alert.tenant_id, alert.subject, alert.severity) == (None, str(grown.tenant.pk), "critical")
        assert "verify_audit" in words_of(alert).advice
        assert words_of(alert).about == "Ours"
    heads = {record.tenant_id: record.mac for record in caplog.records if record.msg == "head of history"}
    assert heads[str(theirs.tenant.pk)] == head_of(theirs).mac.hex()

    call_command("verify_audit", "--accept", stdout=io.StringIO())  # a backup was restored: so be it
    assert bells.verify_history() == 0
    with system_transaction():
        assert not Alert.objects.filter(kind=watching.TAMPERED, resolved_at=None).exists()
