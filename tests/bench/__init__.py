"""The numbers that the project promises: `make bench`."""
