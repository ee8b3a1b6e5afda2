"""Systems of record, one module each, behind one protocol."""
