"""`python -m crm.local run` is `make run`; `keep` is how it, and `manage.py`, run the embedded servers."""

import sys

from crm.local.holding import keep


def main() -> None:
    match sys.argv[1:]:
        case ["run"]:
            from crm.local.supervisor import run

            sys.exit(run())
        case ["keep", name]:
            keep(name)
        case _:
            sys.exit("Usage: python -m crm.local run")


if __name__ == "__main__":
    main()
