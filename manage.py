#!/usr/bin/env python
"""Django's command line."""

import faulthandler
import os
import sys


def main() -> None:
    """Run one command; if it dies of a signal, where each thread was stands on its standard error."""
    faulthandler.enable()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshui.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
