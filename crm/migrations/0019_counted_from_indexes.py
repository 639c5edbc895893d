"""Indexes hold what the fence and an agent's rights ask of a row, so that the inbox is counted without reading rows."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('crm', '0018_places_of_conversations')]

    operations = [
        migrations.RemoveIndex(
            model_name='conversation',
            name='crm_conversation_newest',
        ),
        migrations.RemoveIndex(
            model_name='conversation',
            name='crm_conversation_waiting',
        ),
        migrations.RemoveIndex(
            model_name='conversation',
            name='crm_conversation_queue',
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(fields=['tenant', '-last_message_at', '-id'], include=('erased_at', 'queue', 'assignee'), name='crm_conversation_newest'),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(condition=models.Q(('status', 'open'), ('waiting_since__isnull', False)), fields=['tenant', 'window_expires_at', 'id'], include=('erased_at', 'queue', 'assignee'), name='crm_conversation_waiting'),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(condition=models.Q(('status', 'closed'), _negated=True), fields=['tenant', 'queue', '-last_message_at', '-id'], include=('erased_at', 'assignee'), name='crm_conversation_queue'),
        ),
    ]
