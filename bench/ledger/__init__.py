"""Ledgers of millions of calls that never happened, and how long questions about them take."""
