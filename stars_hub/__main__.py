"""`python -m stars_hub`, the command line without its script."""

from stars_hub.cli import main

if __name__ == "__main__":
    main()
