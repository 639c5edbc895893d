"""The REST API under `/api/v1/`: what a member sees in the screens, for programs.

Knows HTTP and JSON. Every rule is the domain's: a view reads input, makes one call, writes the answer. Who calls is
`request.auth`, a Membership; the middleware has chosen the company's transaction before any view runs.
"""
