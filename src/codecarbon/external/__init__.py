"""Old paths of things that look outside the package."""
