from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meshes", "0004_sync_watched")]

    operations = [
        migrations.AddField(model_name="controlplane", name="tags", field=models.JSONField(default=list)),
        migrations.AddIndex(
            model_name="namespace",
            index=models.Index(fields=["cluster", "name"], name="namespace_in_cluster"),
        ),
        migrations.AddIndex(
            model_name="route",
            index=models.Index(fields=["cluster", "name"], name="route_in_cluster"),
        ),
        migrations.AddIndex(
            model_name="service",
            index=models.Index(fields=["cluster", "name"], name="service_in_cluster"),
        ),
        migrations.AddIndex(
            model_name="workload",
            index=models.Index(fields=["cluster", "name"], name="workload_in_cluster"),
        ),
    ]
