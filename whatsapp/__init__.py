"""Knows WhatsApp: numbers, providers, webhooks, templates, the window and the prices. Must not know contacts or conversations."""
