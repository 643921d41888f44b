"""The WSGI application, for servers that have nothing else; the embedded worker needs ASGI."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from meshui.lib.env import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshui.settings")
application = get_wsgi_application()
limit_statements(settings.DATABASES["default"], 10)
