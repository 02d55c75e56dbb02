"""Verify records, rows, inputs and vintages against each other."""
