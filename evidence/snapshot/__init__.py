"""Values, canonical bytes and digests of snapshots; pure."""
