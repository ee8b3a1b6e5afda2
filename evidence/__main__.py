"""``python -m evidence`` is the command."""

from evidence.cli import main

if __name__ == "__main__":
    main()
