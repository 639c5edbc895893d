"""Many threads of two companies on two connections of a transaction pooler; run by `test_pooler` as a process of its own.

Prints what each transaction saw that was not its own company's, and how many there were.
"""

import json
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import django

THREADS, ROUNDS = 8, int(os.environ.get("POOLED_ROUNDS", "60"))


def main(*tenants: str, careless: bool) -> None:
    django.setup()
    from tenants import context

    if careless:
        context._tell_database = _for_the_session
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(_work, [tenants] * THREADS))
    leaks = [leak for seen, _count in found for leak in seen]
    transactions = sum(count for _seen, count in found)
    print(json.dumps({"transactions": transactions, "leaks": leaks[:5], "count": len(leaks)}))


def _work(tenants: tuple[str, ...]) -> tuple[list[str], int]:
    """What this thread saw that it should not have, and how many transactions it made."""
    from django.db import connection

    from crm.models import Contact
    from tenants.context import system_transaction, tenant_transaction

    leaks, transactions = [], 0
    for _ in range(ROUNDS):
        transactions += 2  # one of a company, and one of nobody's
        tenant = random.choice(tenants)
        try:
            with tenant_transaction(UUID(tenant)):
                names = set(Contact.objects.values_list("name", flat=True))
                if names != {f"of {tenant}"}:
                    leaks.append(f"{tenant} saw {sorted(names)}")
                Contact.objects.update(timezone="America/Lima")
                if random.random() < 0.2:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM crm_contact")
            if seen := cursor.fetchone()[0]:
                leaks.append(f"nobody saw {seen}")
        if random.random() < 0.2:
            transactions += 1
            with system_transaction():
                if Contact.objects.count() != 2 * len(tenants):
                    leaks.append("the system did not see everybody")
        connection.close()
    return leaks, transactions


def _for_the_session(scope) -> None:
    """What must never be done behind a pooler."""
    from django.db import connection

    from tenants.context import APP_ROLE, SYSTEM_ROLE

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('app.tenant_id', %s, false), set_config('role', %s, false)",
            [str(scope.tenant_id or ""), SYSTEM_ROLE if scope.is_system else APP_ROLE],
        )


if __name__ == "__main__":
    main(*sys.argv[2:], careless=sys.argv[1] == "careless")
