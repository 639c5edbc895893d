from django.db import migrations

# Page by page it would only take longer: no row that others write is locked, and what they write keeps its own words.
_WORDS = """
INSERT INTO crm_contactword (tenant_id, word, contact_id, origin)
SELECT DISTINCT c.tenant_id, word COLLATE "C", c.id, c.id
FROM crm_contact c, crm_words_of_contact(c.name || ' ' || c.profile_name || ' ' || c.username, c.email, c.labels) AS word
ON CONFLICT DO NOTHING;
INSERT INTO crm_contactword (tenant_id, word, contact_id, origin)
SELECT i.tenant_id, word COLLATE "C", i.contact_id, i.id
FROM crm_identity i, crm_words_of_phone(i.address, i.value) AS word
WHERE i.kind = 'phone'
ON CONFLICT DO NOTHING;
"""
_SEEN = """
UPDATE crm_contact c SET seen_at = t.at
FROM (SELECT contact_id, max(last_inbound_at) AS at FROM crm_conversation GROUP BY contact_id) t
WHERE t.contact_id = c.id AND t.at > c.seen_at
"""
_STOPPED = "UPDATE crm_contact SET marketing_source = 'whatsapp' WHERE marketing_stopped"


class Migration(migrations.Migration):
    dependencies = [("crm", "0012_contacts")]

    operations = [
        migrations.RunSQL(_WORDS, migrations.RunSQL.noop),
        migrations.RunSQL(_SEEN, migrations.RunSQL.noop),
        migrations.RunSQL(_STOPPED, migrations.RunSQL.noop),
    ]
