"""Tests. A package, so that tests share `tests.tiny` and `tests.scripted_user`."""
