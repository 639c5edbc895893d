from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sequences', '0011_kept_of_erased'),
    ]

    operations = [
        migrations.AddField(
            model_name='broadcast',
            name='frozen_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='broadcast',
            name='frozen_to',
            field=models.JSONField(null=True),
        ),
    ]
