"""The user access review: who may do what on a night, as a list that people decide on (``docs/access-review.md``).

``held`` reads it from sealed evidence, ``listing`` makes the list that is sealed, ``workbook`` and ``answers`` write and read the
workbook, ``decisions`` says which answers count and what became of each removal.
"""
