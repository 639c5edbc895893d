"""Timed outreach: who is due, what comes next, when to stop. Stands on crm; nothing below may import it."""
