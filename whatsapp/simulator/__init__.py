"""A WhatsApp that speaks Meta's wire format, for demonstrations, tests and load.

Knows Meta's Graph API and webhooks, and customers who write and answer. Must not know Ventana: it imports neither Django
nor anything else of the product, and reaches the product only over HTTP, as Meta does.
"""
