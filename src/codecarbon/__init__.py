"""Energy and carbon measurement that can be trusted inside a hot training loop."""
