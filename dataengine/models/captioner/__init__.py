"""Captioners: vision-language models that say in one answer what a picture shows, and what kind of picture it is.

`answer` has the question and the form of the answer; `endpoint` asks a server, `local` a model on this machine.
"""
