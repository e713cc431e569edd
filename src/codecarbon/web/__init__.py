"""What every server of this package needs: problem bodies, ETags, API keys, limits. Needs the extra of a server."""
