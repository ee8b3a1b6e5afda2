"""Telling people: what stands now, what changed since people were told, and where the words go."""
