#!/usr/bin/env python
"""Django's commands. On a local machine they find the embedded servers of `make run`, or start them while they run."""

import os
import sys

from crm import local

# These touch no database; starting one for them would only be slow.
WITHOUT_SERVERS = {"help", "version", "--help", "--version", "-h", "makemessages", "compilemessages", "collectstatic"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    local.set_local_environment()
    asks_for_help = {"--help", "-h"} & set(sys.argv)
    if len(sys.argv) > 1 and sys.argv[1] not in WITHOUT_SERVERS and not asks_for_help:
        try:
            local.attach_or_start()
        except local.CannotStart as refusal:
            sys.exit(str(refusal))
    else:
        # The settings want addresses; nobody opens these.
        os.environ.setdefault("DATABASE_URL", "postgresql://nobody@localhost/none")
        os.environ.setdefault("REDIS_URL", "redis://localhost/0")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
