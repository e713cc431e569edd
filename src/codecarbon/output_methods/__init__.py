"""Old paths of the output handlers, one module each."""
