"""What is lost and what is doubled when everything around the product fails: real processes, killed under load.

The witnesses are outside the product: the history of the client that plays Meta, the ledger of the simulator, and plain
SQL by the tables' owner. *Lost* is acknowledged minus present; *double* is present or delivered more than once.

`make test` runs these at a small scale; `make faults` at the full one, and writes docs/faults.md.
"""
