"""The encoder: configuration, attention blocks, network, and what users call."""
