"""What headquarters keeps: the tables, and one module for each concern. Functions take a Connection."""

from server.store.engine import Store

__all__ = ["Store"]
