"""Knows who owns what: tenants, users, memberships, queues, the fence, encryption and audit. Must not know WhatsApp."""
