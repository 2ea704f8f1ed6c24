"""`yizhan simulate`: many stations that speak the real protocol to a headquarters on this machine."""
