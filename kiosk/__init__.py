"""The public API for plugins: small, typed, versioned by the manifest's `api`."""

from kiosk.hookspecs import hookimpl
from kiosk.tile import Stage, Tile

__all__ = ["Stage", "Tile", "hookimpl"]
