"""Django's PostgreSQL backend, whose pool gives out living connections. Knows nothing of the product."""
