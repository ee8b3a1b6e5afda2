"""Findings to HTML, PDF and charts."""
