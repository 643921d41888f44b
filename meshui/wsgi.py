"""The WSGI application, for servers that have nothing else; the embedded worker needs ASGI."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshui.settings")
application = get_wsgi_application()
