"""Captions of synthesized pictures, in English and in the pictures' own languages."""

from stages.synthesize.captions.writing import Captions, write

__all__ = ["Captions", "write"]
