"""What the suite is about, as numbers: what was lost and what is there twice."""

from collections import Counter

from tests.faults.stage import Stage
from whatsapp.simulator.process import Simulator

BACKLOG = "SELECT count(*) FROM whatsapp_webhookevent WHERE state <> 'done'"


def count_sends(stage: Stage, whatsapp: Simulator) -> tuple[int, int, int]:
    """(never accepted by WhatsApp, accepted more than once, sent at a second attempt)."""
    accepted = Counter((entry["biz_opaque_callback_data"] or "").partition(".")[0] for entry in whatsapp.ledger())
    ours = {str(row[0]) for row in stage.sql("SELECT id FROM crm_message WHERE direction = 'outbound'")}
    resent = stage.one("SELECT count(*) FROM crm_message WHERE direction = 'outbound' AND attempt > 1")
    assert set(accepted) <= ours
    return len(ours - set(accepted)), sum(times - 1 for times in accepted.values()), resent


def count_messages(stage: Stage, acknowledged, *, is_unread: bool = True) -> tuple[int, int]:
    """(acknowledged and not present, present more than once or counted more than once). An answer ends the unread."""
    present = dict(
        stage.sql("SELECT provider_message_id, count(*) FROM crm_message WHERE direction = 'inbound' GROUP BY 1")
    )
    lost = [wamid for wamid in acknowledged if wamid not in present]
    doubled = sum(amount - 1 for amount in present.values())
    unread = stage.one("SELECT coalesce(sum(unread_count), 0) FROM crm_conversation")
    miscounted = abs(unread - sum(present.values())) if is_unread else 0
    contacts = stage.one("SELECT count(*) - count(DISTINCT phone) FROM crm_contact")
    threads = stage.one("SELECT count(*) - count(DISTINCT contact_id) FROM crm_conversation")
    return len(lost), doubled + miscounted + contacts + threads
