"""Tests, and in `support` what they share; imported from the root of the checkout."""
