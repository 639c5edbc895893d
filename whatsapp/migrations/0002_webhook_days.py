"""Webhook events by day, so that a day that is over goes by dropping its table instead of by deleting its rows.

What is there already becomes the first part of the new table; nothing is copied.
"""

from django.db import migrations

_SPLIT = """
-- What the rows of this migration still have to check is checked now: a table with pending checks cannot be altered.
SET CONSTRAINTS ALL IMMEDIATE;

ALTER TABLE whatsapp_webhookevent RENAME TO whatsapp_webhookevent_before;
ALTER TABLE whatsapp_webhookevent_before ALTER COLUMN id DROP IDENTITY IF EXISTS;
DROP INDEX whatsapp_event_due, whatsapp_event_stuck, whatsapp_event_received;
DROP POLICY tenant ON whatsapp_webhookevent_before;
DROP POLICY intake ON whatsapp_webhookevent_before;
DROP POLICY system ON whatsapp_webhookevent_before;
ALTER TABLE whatsapp_webhookevent_before DROP CONSTRAINT whatsapp_webhookevent_pkey;
DO $$
DECLARE foreign_key text;
BEGIN
  FOR foreign_key IN SELECT conname FROM pg_constraint
                     WHERE conrelid = 'whatsapp_webhookevent_before'::regclass AND contype = 'f'
  LOOP
    EXECUTE format('ALTER TABLE whatsapp_webhookevent_before DROP CONSTRAINT %I', foreign_key);
  END LOOP;
END $$;

CREATE TABLE whatsapp_webhookevent (LIKE whatsapp_webhookevent_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
  PARTITION BY RANGE (received_at);
-- A sequence of its own: before PostgreSQL 17 a partitioned table cannot have an identity column.
CREATE SEQUENCE whatsapp_webhookevent_number AS bigint OWNED BY whatsapp_webhookevent.id;
SELECT setval('whatsapp_webhookevent_number', COALESCE((SELECT max(id) FROM whatsapp_webhookevent_before), 0) + 1, false);
ALTER TABLE whatsapp_webhookevent
  ALTER COLUMN id SET DEFAULT nextval('whatsapp_webhookevent_number'),
  ADD CONSTRAINT whatsapp_webhookevent_pkey PRIMARY KEY (id, received_at),
  ADD CONSTRAINT whatsapp_webhookevent_tenant_fk FOREIGN KEY (tenant_id) REFERENCES tenants_tenant (id)
    DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX whatsapp_event_due ON whatsapp_webhookevent (next_attempt_at, id) WHERE state = 'new';
CREATE INDEX whatsapp_event_stuck ON whatsapp_webhookevent (state, id) WHERE state IN ('unrouted', 'dead');
CREATE INDEX whatsapp_event_received ON whatsapp_webhookevent (received_at);
CREATE INDEX whatsapp_webhookevent_tenant_id ON whatsapp_webhookevent (tenant_id);
ALTER TABLE whatsapp_webhookevent ENABLE ROW LEVEL SECURITY;
ALTER TABLE whatsapp_webhookevent FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON whatsapp_webhookevent TO crm_app
  USING (tenant_id = NULLIF((SELECT current_setting('app.tenant_id', true)), '')::uuid)
  WITH CHECK (tenant_id = NULLIF((SELECT current_setting('app.tenant_id', true)), '')::uuid);
CREATE POLICY system ON whatsapp_webhookevent TO crm_system USING (true) WITH CHECK (true);
CREATE POLICY owner ON whatsapp_webhookevent TO crm_owner USING (true) WITH CHECK (true);
CREATE POLICY intake ON whatsapp_webhookevent FOR INSERT TO crm_app WITH CHECK (tenant_id IS NULL);

-- The parts are reached through the whole, whose policies hold; by themselves they are the owner's alone.
REVOKE ALL ON whatsapp_webhookevent_before FROM crm_app, crm_system;
-- What no day takes: a day that nobody made in time, and what outlives its day because it failed.
CREATE TABLE whatsapp_webhookevent_rest (LIKE whatsapp_webhookevent INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE whatsapp_webhookevent_rest ENABLE ROW LEVEL SECURITY;
ALTER TABLE whatsapp_webhookevent_rest FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON whatsapp_webhookevent_rest TO crm_owner USING (true) WITH CHECK (true);
REVOKE ALL ON whatsapp_webhookevent_rest FROM crm_app, crm_system;
ALTER TABLE whatsapp_webhookevent ATTACH PARTITION whatsapp_webhookevent_rest DEFAULT;
"""

# Dates in the session's UTC; the bound of a part is read from the catalogue, so nothing else has to remember it.
_KEEP = """
CREATE FUNCTION whatsapp_webhookevent_keep(days integer, ahead integer, OUT made integer, OUT dropped integer)
  LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s'
AS $$
DECLARE
  cutoff timestamptz := statement_timestamp() - make_interval(days => days);
  day timestamptz;
  part record;
  name text;
BEGIN
  made := 0;
  dropped := 0;
  IF days < 1 OR ahead < 1 THEN
    RAISE EXCEPTION 'days and ahead must be positive' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- One at a time: another process is doing the same at this moment.
  IF NOT pg_try_advisory_xact_lock(4202) THEN RETURN; END IF;
  SET CONSTRAINTS ALL IMMEDIATE;

  FOR day IN SELECT generate_series(date_trunc('day', now()), date_trunc('day', now()) + make_interval(days => ahead), '1 day')
  LOOP
    CONTINUE WHEN day < (
      SELECT max(substring(pg_get_expr(c.relpartbound, c.oid) FROM $re$TO \\('([^']+)'\\)$re$)::timestamptz)
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'whatsapp_webhookevent'::regclass);
    name := 'whatsapp_webhookevent_' || to_char(day, 'YYYYMMDD');
    EXECUTE format('CREATE TABLE %I (LIKE whatsapp_webhookevent INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', name);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY owner ON %I TO crm_owner USING (true) WITH CHECK (true)', name);
    EXECUTE format('REVOKE ALL ON %I FROM crm_app, crm_system', name);
    -- What came before its day was made.
    EXECUTE format(
      'WITH moved AS (DELETE FROM whatsapp_webhookevent_rest WHERE received_at >= $1 AND received_at < $2 RETURNING *)'
      ' INSERT INTO %I SELECT * FROM moved', name) USING day, day + interval '1 day';
    EXECUTE format('ALTER TABLE whatsapp_webhookevent ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      name, day, day + interval '1 day');
    made := made + 1;
  END LOOP;

  FOR part IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'whatsapp_webhookevent'::regclass
      AND substring(pg_get_expr(c.relpartbound, c.oid) FROM $re$TO \\('([^']+)'\\)$re$)::timestamptz <= cutoff
  LOOP
    EXECUTE format('ALTER TABLE whatsapp_webhookevent DETACH PARTITION %I', part.relname);
    -- Nothing goes because it failed.
    EXECUTE format('INSERT INTO whatsapp_webhookevent_rest SELECT * FROM %I WHERE state <> ''done''', part.relname);
    SET CONSTRAINTS ALL IMMEDIATE;
    EXECUTE format('DROP TABLE %I', part.relname);
    dropped := dropped + 1;
  END LOOP;

  DELETE FROM whatsapp_webhookevent_rest WHERE state = 'done' AND received_at < cutoff;
END $$;
REVOKE ALL ON FUNCTION whatsapp_webhookevent_keep FROM PUBLIC;
GRANT EXECUTE ON FUNCTION whatsapp_webhookevent_keep TO crm_system;
"""

# Up to tomorrow in UTC all belongs to the first part; from then on each day has its own.
_ATTACH = """
DO $$
BEGIN
  EXECUTE format('ALTER TABLE whatsapp_webhookevent ATTACH PARTITION whatsapp_webhookevent_before FOR VALUES FROM (MINVALUE) TO (%L)',
    date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '1 day');
END $$;
SELECT whatsapp_webhookevent_keep(36500, 7);
"""


class Migration(migrations.Migration):
    dependencies = [("whatsapp", "0001_initial")]

    operations = [
        migrations.RunSQL(_SPLIT, migrations.RunSQL.noop),
        migrations.RunSQL(_KEEP, "DROP FUNCTION whatsapp_webhookevent_keep"),
        migrations.RunSQL(_ATTACH, migrations.RunSQL.noop),
    ]
