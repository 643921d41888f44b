from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meshes", "0003_alignment")]

    operations = [
        migrations.AddField(
            model_name="sync",
            name="watched_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="sync",
            name="watch_error",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
    ]
