"""Conversion of the authors' checkpoints and publication to the Hub."""
