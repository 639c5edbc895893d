"""The chain that shows tampering with history, and the one way in which history goes."""

import django.db.models.deletion
import django.db.models.functions.datetime
import tenants.encryption
import tenants.rls
import uuid_utils.compat
from django.db import migrations, models

# The application may not delete history; this may, for it. It writes down what it removed, where the application may not
# write either, so that even a call that nobody sealed leaves a trace.
_FORGET = """
CREATE FUNCTION forget_history(tenant uuid, objects jsonb, erasure text) RETURNS SETOF bigint
  LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public, pg_temp
AS $$
DECLARE
  history record;
  ignored text := COALESCE(NULLIF(current_setting('pgtrigger.ignore', true), ''), '{}');
BEGIN
  IF NULLIF(current_setting('app.tenant_id', true), '')::uuid IS DISTINCT FROM tenant
     AND current_setting('role') <> 'crm_system' THEN
    RAISE insufficient_privilege USING MESSAGE = 'This history belongs to another tenant.';
  END IF;
  FOR history IN
    SELECT wanted.key AS name, wanted.value AS ids, format_type(a.atttypid, a.atttypmod) AS id_type, guard.tgname AS guard
    FROM jsonb_each(objects) AS wanted
    LEFT JOIN pg_class c ON c.relname = wanted.key AND c.relnamespace = 'public'::regnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'pgh_obj_id'
    LEFT JOIN pg_trigger guard ON guard.tgrelid = c.oid AND guard.tgname LIKE 'pgtrigger\\_append\\_only\\_%'
  LOOP
    IF history.id_type IS NULL OR history.guard IS NULL THEN
      RAISE invalid_parameter_value USING MESSAGE = format('%I is no table of history.', history.name);
    END IF;
    PERFORM set_config('pgtrigger.ignore', ARRAY[history.guard]::text, true);
    RETURN QUERY EXECUTE format(
      'WITH gone AS (
         DELETE FROM %1$I
         WHERE tenant_id = $1 AND pgh_obj_id = ANY (ARRAY(SELECT jsonb_array_elements_text($2))::%2$s[])
         RETURNING pgh_id)
       INSERT INTO tenants_forgottenevent (tenant_id, table_name, event_id, erasure)
       SELECT $1, %1$L, pgh_id, $3 FROM gone ORDER BY pgh_id
       ON CONFLICT DO NOTHING RETURNING id', history.name, history.id_type)
    USING tenant, history.ids, erasure;
  END LOOP;
  PERFORM set_config('pgtrigger.ignore', ignored, true);
END $$;
REVOKE ALL ON FUNCTION forget_history FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_history TO crm_app, crm_system;
REVOKE INSERT ON tenants_forgottenevent FROM crm_app, crm_system;
-- rotate_keys, acting as the system, seals keys anew; nobody takes one away.
REVOKE UPDATE, DELETE ON tenants_chainkey FROM crm_app;
REVOKE DELETE ON tenants_chainkey FROM crm_system;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0005_hours_of_queues'),
    ]

    operations = [
        migrations.CreateModel(
            name='SealingProgress',
            fields=[
                ('table_name', models.CharField(max_length=63, primary_key=True, serialize=False)),
                ('settled_id', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='ChainEntry',
            fields=[
                ('pk', models.CompositePrimaryKey('tenant_id', 'seq', blank=True, editable=False, primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField()),
                ('table_name', models.CharField(max_length=63)),
                ('event_id', models.BigIntegerField()),
                ('happened_at', models.DateTimeField()),
                ('sealed_at', models.DateTimeField()),
                ('width', models.SmallIntegerField()),
                ('key_number', models.SmallIntegerField()),
                ('digest', models.BinaryField()),
                ('previous', models.BinaryField()),
                ('mac', models.BinaryField()),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['tenant', 'table_name', '-happened_at'], name='tenants_chainentry_latest')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'table_name', 'event_id'), name='tenants_chainentry_event_key'), tenants.rls.Fence(name='tenants_chainentry_fence', referenced=False, writable=False)],
            },
        ),
        migrations.CreateModel(
            name='ChainKey',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.SmallIntegerField()),
                ('master', models.IntegerField()),
                ('key', tenants.encryption.EncryptedBinaryField(editable=False)),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'number'), name='tenants_chainkey_number_key'), tenants.rls.Fence(name='tenants_chainkey_fence', referenced=False)],
            },
        ),
        migrations.CreateModel(
            name='ForgottenEvent',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('table_name', models.CharField(max_length=63)),
                ('event_id', models.BigIntegerField()),
                ('erasure', models.CharField(max_length=120)),
                ('forgotten_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, editable=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tenants.tenant')),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'table_name', 'event_id'), name='tenants_forgottenevent_key'), tenants.rls.Fence(name='tenants_forgottenevent_fence', referenced=False, writable=False)],
            },
        ),
        migrations.RunSQL(_FORGET, "DROP FUNCTION forget_history"),
    ]
