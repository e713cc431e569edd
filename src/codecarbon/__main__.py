"""``python -m codecarbon`` is the command ``codecarbon``."""

from codecarbon.cli.main import main

if __name__ == "__main__":
    main()
