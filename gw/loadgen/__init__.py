"""The load generator: an open-loop schedule, HTTP/1.1 connections, histograms. `gw bench` and bench/ use it."""
