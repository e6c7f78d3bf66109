"""Networks that this project did not choose: public architectures in code of our own, put through all of it."""
