"""The demonstration: two companies, their people, and talk that looks like a Tuesday morning in each of them.

Knows how to read its scripts and how to bring them in by the product's own way: customers through stored webhooks and
the merge, our side as finished rows. Must not be imported by anything but `manage.py load_demo` and tests.
"""

from crm.demo.loading import NotHere, load

__all__ = ["NotHere", "load"]
