"""What the quickstart works on."""
