"""`python -m stars_hub.cli`, such as under torchrun."""

from stars_hub.cli import main

if __name__ == "__main__":
    main()
