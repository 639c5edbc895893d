"""Promises switched off one by one, to prove that the suite sees it. Works inside a process of the tests only."""

from typing import Any


def switch_off(name: str) -> None:
    {"unique-key": _unique_key, "lease": _lease, "commit-before-200": _commit_before_200}[name]()


def _unique_key() -> None:
    """Insert whatever comes (the tests' database has lost the constraint too)."""
    from crm.inbound import merging

    merging._INSERT = merging._INSERT.replace("ON CONFLICT (number_id, provider_message_id) DO NOTHING", "")


def _lease() -> None:
    """Whose sender died is simply sent again, as queues do that deliver at least once."""
    from crm.outbound import reconciling

    reconciling._EXPIRE_LEASES = reconciling._EXPIRE_LEASES.replace(
        "SET status = 'unknown', unknown_at = statement_timestamp(), error_detail = 'the sender stopped'",
        "SET status = 'queued', next_attempt_at = statement_timestamp()",
    )
    assert "'queued'" in reconciling._EXPIRE_LEASES


def _commit_before_200() -> None:
    """Answer as soon as the webhook waits to be written."""
    import asyncio

    from whatsapp.intake import Writer

    store = Writer.store
    under_way: set[Any] = set()

    async def answer_at_once(self: Writer, provider: str, endpoint_key: str, body: bytes) -> bool:
        task = asyncio.create_task(store(self, provider, endpoint_key, body))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        return True

    Writer.store = answer_at_once  # type: ignore[method-assign]
