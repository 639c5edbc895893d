"""What the design promises, measured on this machine: `make bench`.

Each measurement is one module with `measure(stage, options)`, which gives lines of the table. Promises that can be
compared are compared within the same run, because absolute figures only mean something beside the machine they are of.
"""
