"""Flows and people: what a form knows of a contact, what its answers change, and sending one into a conversation."""
