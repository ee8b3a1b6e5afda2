"""The printed Terraform module: what ``evidence setup aws`` and ``evidence setup snowflake`` print, as resources. Pure; nothing is applied.

Policies, settings and grants come from the functions that those commands print from, so the two cannot disagree.
"""
