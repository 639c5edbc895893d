"""Knows people and talk: contacts, conversations, messages, the screens, the live stream and the API."""
