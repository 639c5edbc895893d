from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sequences', '0012_pages_of_lists'),
    ]

    operations = [
        migrations.AlterField(
            model_name='broadcast',
            name='state',
            field=models.CharField(choices=[('draft', 'draft'), ('preparing', 'being prepared'), ('ready', 'ready'), ('scheduled', 'scheduled'), ('running', 'running'), ('paused', 'paused'), ('done', 'completed'), ('cancelled', 'cancelled'), ('discarded', 'being thrown away')], default='draft', max_length=9),
        ),
        migrations.RemoveIndex(
            model_name='broadcast',
            name='sequences_broadcast_busy',
        ),
        migrations.AddIndex(
            model_name='broadcast',
            index=models.Index(condition=models.Q(('state__in', ['preparing', 'scheduled', 'running', 'discarded'])), fields=['state'], name='sequences_broadcast_busy'),
        ),
    ]
