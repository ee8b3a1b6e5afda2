"""Contracts of every dataset, as data, and the landing of rows by them."""
