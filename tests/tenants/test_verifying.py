"""The history of changes is sealed, and whoever touches it with the database alone is seen."""

import io
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.audit import verifying
from tenants.audit.sealing import seal
from tenants.audit.verifying import Kind
from tenants.context import system_transaction
from tenants.models import Queue, SealingProgress
from tests.tenants.histories import (
    MANY_ROWS,
    ROWS,
    TABLES,
    count_entries,
    count_history,
    cut,
    findings,
    head_of,
    kinds,
    superuser,
)

# --- What nobody touched --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_untouched_history_passes_with_an_entry_for_each_row(grown):
    assert findings() == []
    assert count_entries() == count_history() > 4 * ROWS


@pytest.mark.django_db
def test_sealing_again_adds_only_what_is_new(grown):
    before = count_entries()
    assert seal() == 0

    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")

    assert seal() == 1
    assert (count_entries(), findings()) == (before + 1, [])


@pytest.mark.django_db
def test_what_is_settled_is_not_looked_at_again(grown):
    with system_transaction():
        progress = dict(SealingProgress.objects.values_list("table_name", "settled_id"))

    assert progress["tenants_queueevent"] == 2 * ROWS  # those of the last hours are


@pytest.mark.django_db
def test_what_waits_to_be_sealed_is_no_finding_until_it_has_waited_long(grown, monkeypatch):
    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")
    assert findings() == []

    monkeypatch.setattr(verifying, "PATIENCE", verifying.PATIENCE * 0)
    assert kinds() == {Kind.UNSEALED: 1}


@pytest.mark.django_db
def test_a_column_added_later_changes_nothing(grown):
    with superuser() as cursor:
        cursor.execute("ALTER TABLE tenants_queueevent ADD COLUMN colour text DEFAULT 'red'")

    assert findings() == []
    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")
    assert (seal(), findings()) == (1, [])

    with superuser() as cursor:  # the new column is covered from then on
        cursor.execute("UPDATE tenants_queueevent SET colour = 'blue'")
    assert kinds() == {Kind.CHANGED: 1}


@pytest.mark.django_db
def test_what_another_time_zone_or_setting_writes_is_the_same(grown):
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL TimeZone = 'America/Lima'; SET LOCAL extra_float_digits = 0; SET LOCAL bytea_output = 'escape'"
        )

    assert findings() == []


# --- What somebody touched --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_thousand_tamperings_are_a_thousand_found(grown_long):
    chance = Random(7)
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{each}', pgh_id FROM {each} WHERE pgh_id <= {2 * MANY_ROWS}" for each in TABLES
            )
        )
        touched = chance.sample(sorted(cursor.fetchall()), 1000)
    updated, deleted, swapped, copied = (touched[start::4] for start in range(4))
    expected = {(Kind.CHANGED, *row) for row in updated} | {(Kind.MISSING, *row) for row in deleted}

    with superuser() as cursor:
        for table in TABLES:
            ids = {
                name: [row_id for of, row_id in rows if of == table]
                for name, rows in (("updated", updated), ("deleted", deleted), ("swapped", swapped), ("copied", copied))
            }
            moved, alone = swap(cursor, table, ids["swapped"])
            update(cursor, table, ids["updated"] + alone)
            cursor.execute(f"DELETE FROM {table} WHERE pgh_id = ANY(%s)", [ids["deleted"]])
            expected |= {(Kind.CHANGED, table, row_id) for row_id in moved + alone}
            expected |= {(Kind.INVENTED, table, row_id) for row_id in copy(cursor, table, ids["copied"])}

    for _again in range(2):  # and sealing does not make it good
        found = findings()
        assert {(each.kind, each.table_name, each.event_id) for each in found} == expected
        assert len(found) == len(expected) == 1000
        assert seal() == 0


def update(cursor, table: str, ids: list[int]) -> None:
    """Any column: who did it, when, of what kind it was, what the row said."""
    said = "is_triage = NOT is_triage" if table == "tenants_queueevent" else "role = 'owner'"
    changes = (
        said,
        "pgh_context = '{\"user\": 0}'",
        "pgh_label = 'delete'",
        "pgh_created_at = pgh_created_at + interval '1 microsecond'",
    )
    for start, change in enumerate(changes):
        cursor.execute(f"UPDATE {table} SET {change} WHERE pgh_id = ANY(%s)", [ids[start :: len(changes)]])


def swap(cursor, table: str, ids: list[int]) -> tuple[list[int], list[int]]:
    """Two rows of one company each take the other's place; who had nobody to change with is the second answer."""
    pairs, alone = [], []
    for of_company in ([each for each in ids if each <= MANY_ROWS], [each for each in ids if each > MANY_ROWS]):
        half = len(of_company) // 2
        pairs += [*zip(of_company[:half], of_company[half : 2 * half], strict=True)]
        alone += of_company[2 * half :]
    first, second = map(list, zip(*pairs, strict=True))
    cursor.execute(
        f"UPDATE {table} SET pgh_id = -pair.other FROM unnest(%s::bigint[], %s::bigint[]) AS pair (one, other)"
        " WHERE pgh_id = pair.one",
        [first + second, second + first],
    )
    cursor.execute(f"UPDATE {table} SET pgh_id = -pgh_id WHERE pgh_id < 0")
    return first + second, alone


def copy(cursor, table: str, ids: list[int]) -> list[int]:
    """What never happened, at times that are long past."""
    cursor.execute(f"CREATE TEMP TABLE invented AS SELECT * FROM {table} WHERE pgh_id = ANY(%s)", [ids])
    cursor.execute("UPDATE invented SET pgh_id = pgh_id + 2000000")
    cursor.execute(f"INSERT INTO {table} SELECT * FROM invented RETURNING pgh_id")
    made = [row_id for (row_id,) in cursor.fetchall()]
    cursor.execute("DROP TABLE invented")
    return made


TAMPERINGS = {
    "an entry is changed": (
        "UPDATE tenants_chainentry SET sealed_at = sealed_at + interval '1 day' WHERE tenant_id = %(tenant)s AND seq = 300",
        {Kind.FORGED: 1},
    ),
    "an entry has another MAC": (
        "UPDATE tenants_chainentry SET mac = previous WHERE tenant_id = %(tenant)s AND seq = 300",
        {Kind.FORGED: 1, Kind.BROKEN: 1},
    ),
    "a row and its entry tell the same lie": (
        "UPDATE tenants_queueevent SET name = 'x' WHERE pgh_id = 300;"
        " UPDATE tenants_chainentry e SET digest = sha256(convert_to(to_jsonb(h)::text, 'UTF8')) FROM tenants_queueevent h"
        " WHERE h.pgh_id = 300 AND e.tenant_id = %(tenant)s AND table_name = 'tenants_queueevent' AND event_id = 300",
        {Kind.FORGED: 1},
    ),
    "entries are gone with their rows": (
        "DELETE FROM tenants_queueevent h USING tenants_chainentry e WHERE e.tenant_id = %(tenant)s"
        " AND table_name = 'tenants_queueevent' AND event_id = pgh_id AND event_id BETWEEN 300 AND 310;"
        " DELETE FROM tenants_chainentry WHERE tenant_id = %(tenant)s AND table_name = 'tenants_queueevent'"
        " AND event_id BETWEEN 300 AND 310",
        {Kind.REMOVED: 1},
    ),
    "two entries change places": (
        "UPDATE tenants_chainentry SET seq = CASE seq WHEN 300 THEN -380 ELSE -300 END"
        " WHERE tenant_id = %(tenant)s AND seq IN (300, 380);"
        " UPDATE tenants_chainentry SET seq = -seq WHERE tenant_id = %(tenant)s AND seq < 0",
        {Kind.REORDERED: 2, Kind.BROKEN: 4},
    ),
    "entries are renumbered over a gap": (
        "DELETE FROM tenants_queueevent WHERE pgh_id = 300;"
        " DELETE FROM tenants_chainentry WHERE tenant_id = %(tenant)s AND table_name = 'tenants_queueevent' AND event_id = 300;"
        " UPDATE tenants_chainentry e SET seq = -place.seq FROM (SELECT seq AS old, row_number() OVER (ORDER BY seq) AS seq"
        " FROM tenants_chainentry WHERE tenant_id = %(tenant)s) AS place WHERE tenant_id = %(tenant)s AND e.seq = place.old;"
        " UPDATE tenants_chainentry SET seq = -seq WHERE tenant_id = %(tenant)s",
        None,
    ),
    "the beginning is gone": (
        "DELETE FROM tenants_chainentry WHERE tenant_id = %(tenant)s AND seq = 1",
        None,
    ),
    "an invented row has an invented entry before the first": (
        "INSERT INTO tenants_queueevent SELECT (jsonb_populate_record(h, '{\"pgh_id\": 5000000}')).* FROM tenants_queueevent h"
        " WHERE pgh_id = 300;"
        " INSERT INTO tenants_chainentry SELECT (jsonb_populate_record(e, jsonb_build_object('seq', -5, 'event_id', 5000000,"
        " 'digest', (SELECT sha256(convert_to(to_jsonb(h)::text, 'UTF8')) FROM tenants_queueevent h WHERE pgh_id = 5000000)))).*"
        " FROM tenants_chainentry e WHERE tenant_id = %(tenant)s AND table_name = 'tenants_queueevent' AND event_id = 300",
        {Kind.FORGED: 1},
    ),
    "an invented entry shares the place of another": (
        "ALTER TABLE tenants_chainentry DROP CONSTRAINT tenants_chainentry_pkey;"
        " INSERT INTO tenants_chainentry SELECT (jsonb_populate_record(e, '{\"event_id\": 5000000}')).*"
        " FROM tenants_chainentry e WHERE tenant_id = %(tenant)s AND seq = 300",
        None,
    ),
    "an invented entry has no place": (
        "ALTER TABLE tenants_chainentry DROP CONSTRAINT tenants_chainentry_pkey;"
        " ALTER TABLE tenants_chainentry ALTER COLUMN seq DROP NOT NULL;"
        ' INSERT INTO tenants_chainentry SELECT (jsonb_populate_record(e, \'{"seq": null, "event_id": 5000000}\')).*'
        " FROM tenants_chainentry e WHERE tenant_id = %(tenant)s AND seq = 300",
        {Kind.FORGED: 1},
    ),
    "an entry is put at the end": (
        "INSERT INTO tenants_queueevent SELECT (jsonb_populate_record(h, '{\"pgh_id\": 5000000}')).* FROM tenants_queueevent h"
        " WHERE pgh_id = 300;"
        " INSERT INTO tenants_chainentry SELECT (jsonb_populate_record(e, jsonb_build_object('event_id', 5000000, 'previous', mac,"
        " 'seq', seq + 1))).* FROM tenants_chainentry e WHERE tenant_id = %(tenant)s ORDER BY seq DESC LIMIT 1",
        {Kind.FORGED: 1, Kind.MISSING: 1, Kind.INVENTED: 1},
    ),
    "the key is another company's": (
        "UPDATE tenants_chainkey a SET key = b.key FROM tenants_chainkey b WHERE a.tenant_id = %(tenant)s"
        " AND b.tenant_id <> %(tenant)s",
        None,
    ),
    "an erasure is invented": (
        "DELETE FROM tenants_queueevent WHERE pgh_id = 300; INSERT INTO tenants_forgottenevent (tenant_id, table_name,"
        " event_id, erasure) VALUES (%(tenant)s, 'tenants_queueevent', 300, 'erasure 1')",
        {Kind.MISSING: 1, Kind.INVENTED: 1},
    ),
    "history is forgotten by a call that nobody sealed": (
        "SELECT set_config('session_replication_role', 'origin', true), set_config('app.tenant_id', %(tenant)s::text, true);"
        " SELECT forget_history(%(tenant)s, jsonb_build_object('tenants_membershipevent', (SELECT jsonb_agg(DISTINCT id)"
        " FROM tenants_membershipevent WHERE tenant_id = %(tenant)s AND pgh_id = (SELECT max(pgh_id)"
        " FROM tenants_membershipevent WHERE tenant_id = %(tenant)s))), 'x')",
        {Kind.MISSING: 1, Kind.INVENTED: 1},
    ),
    "a covered column is gone": (
        "ALTER TABLE tenants_queueevent DROP COLUMN name",
        None,
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", TAMPERINGS)
def test_the_chain_cannot_be_bent_either(name, grown, theirs):
    sql, expected = TAMPERINGS[name]
    with superuser() as cursor:
        cursor.execute(sql, {"tenant": grown.tenant.pk})
    seal()

    found = kinds(grown)

    assert found == expected if expected is not None else found.total() > 0
    if name != "a covered column is gone":
        assert findings(theirs) == []


@pytest.mark.django_db
def test_a_row_invented_in_the_present_is_sealed_as_it_could_have_been_written(grown):
    """What the chain cannot show: whoever has the database can also change the row itself, which writes history."""
    with superuser() as cursor:
        cursor.execute(
            "INSERT INTO tenants_queueevent SELECT (jsonb_populate_record(h, jsonb_build_object('pgh_id', 5000000,"
            " 'pgh_created_at', now()))).* FROM tenants_queueevent h WHERE pgh_id = 300"
        )

    assert (seal(), findings()) == (1, [])


# --- The command --------------------------------------------------------------------------------------------------------


def verify_audit(*arguments: str) -> tuple[str, bool]:
    out = io.StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}", False
    return out.getvalue(), True


@pytest.mark.django_db
def test_the_command_names_what_was_touched_and_prints_heads(grown, theirs):
    printed, is_well = verify_audit()
    assert is_well
    for company in (grown, theirs):
        head = head_of(company)
        assert f"head {company.tenant.pk} {head.seq} {head.mac.hex()}\n" in printed

    with superuser() as cursor:
        cursor.execute("UPDATE tenants_queueevent SET name = 'x' WHERE pgh_id = 300")

    printed, is_well = verify_audit()
    assert (is_well, f"changed: {grown.tenant.pk} entry" in printed, "tenants_queueevent 300: the row is" in printed) == (
        False, True, True,
    )  # fmt: skip
    assert "1 findings" in printed
    assert verify_audit("--tenant", "theirs")[1]
    assert not verify_audit("--tenant", str(grown.tenant.pk))[1]


@pytest.mark.django_db
def test_the_command_compares_with_heads_that_were_kept(grown, tmp_path):
    kept = tmp_path / "heads"
    kept.write_text(verify_audit()[0])
    cut(grown, keep=100)

    assert "cut:" in verify_audit("--heads", str(kept))[0]


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [("--tenant", "nobody"), ("--heads", "/nowhere"), ("--heads", __file__)])
def test_the_command_says_what_it_cannot_use(grown, arguments, tmp_path):
    if arguments[1] == __file__:
        (broken := tmp_path / "heads").write_text("head of nothing\n")
        arguments = ("--heads", str(broken))
    assert not verify_audit(*arguments)[1]
