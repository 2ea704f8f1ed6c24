"""Every change of the tables, in order; applied when the store is opened."""
