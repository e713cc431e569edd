"""Old paths of the inner parts that other programs use."""
