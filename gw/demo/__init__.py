"""A stand-in for Anthropic's API with its own invoice, and sample traffic: for `gw demo` and for the tests.

Nothing here is used when gw serves. The invoice is computed without any of gw's own pricing or metering code, so that
the two can be compared.
"""
