"""Fake upstreams of every dialect behind one server: what they hear and say is written by hand from the providers' own
references, and shares nothing with gw's translation, which they are there to check."""
