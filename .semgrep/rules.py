"""What the rules beside this file must find (ruleid) and must leave alone (ok). Nothing runs it."""

import ssl
import subprocess

import requests
import urllib3
from django.db import connection
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.views.decorators.csrf import csrf_exempt


def arguments(request, rows, change):
    # ruleid: request-names-arguments, request-is-handed-on-whole
    rows.filter(**request.GET.dict())
    wanted = dict(request.POST.items())
    # ruleid: request-names-arguments
    rows.filter(**wanted)
    # ruleid: request-is-handed-on-whole
    change(**request.data)
    # ok: request-names-arguments
    rows.filter(name=request.GET["name"])
    known = {"name": "x"}
    # ok: request-names-arguments
    rows.filter(**known)


def sql(request, rows, table):
    # ruleid: request-becomes-sql
    rows.raw("SELECT 1")
    with connection.cursor() as cursor:
        # ruleid: request-becomes-sql
        cursor.execute(f"SELECT * FROM x WHERE a = '{table}'")
        # ruleid: request-becomes-sql
        cursor.execute("SELECT * FROM x WHERE a = '%s'" % table)
        # ok: request-becomes-sql
        cursor.execute("SELECT * FROM x WHERE a = %s", [table])
        # ok: request-becomes-sql
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")


def html(name):
    # ruleid: request-becomes-html
    mark_safe(name)
    # ruleid: request-becomes-html
    format_html(f"<b>{name}</b>")
    # ok: request-becomes-html
    format_html("<b>{}</b>", name)
    # ok: request-becomes-html
    HttpResponse(f"Hello {name}", status=200, content_type="text/plain")
    # ruleid: request-becomes-html
    return HttpResponse(f"Hello {name}")


def going(request):
    # ruleid: request-says-where-to-go
    return HttpResponseRedirect(request.GET.get("next"))


def staying(request):
    # ok: request-says-where-to-go
    return HttpResponseRedirect("/changes/")


def commands():
    # ruleid: command-is-run
    subprocess.run(["kubectl"])


def certificates(context):
    # ruleid: certificate-is-not-looked-at, client-outside-its-module
    requests.get("https://x", verify=False)
    # ruleid: certificate-is-not-looked-at
    context.check_hostname = False
    # ruleid: certificate-is-not-looked-at
    context.verify_mode = ssl.CERT_NONE
    # ok: certificate-is-not-looked-at
    context.verify_mode = ssl.CERT_REQUIRED


def clients():
    # ruleid: client-outside-its-module
    urllib3.PoolManager()
    # ruleid: client-outside-its-module
    requests.get("https://x")


# ruleid: form-without-its-token
@csrf_exempt
def view(request):
    return None


def shapes(data):
    # ruleid: shape-used-before-it-is-ready
    msgspec.convert(data, Shape)
    # ruleid: shape-used-before-it-is-ready
    msgspec.json.Decoder(Shape)
    # ruleid: shape-used-before-it-is-ready
    msgspec.json.decode(data, type=Shape)
    # ok: shape-used-before-it-is-ready
    msgspec.json.decode(data)
    # ok: shape-used-before-it-is-ready
    converted(data, Shape)
