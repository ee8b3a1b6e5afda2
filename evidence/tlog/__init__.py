"""The transparency log: RFC 6962 tree, C2SP notes and checkpoints, tiles and proofs; pure."""
