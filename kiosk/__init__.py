"""The public API for plugins: small, typed, versioned by the manifest's `api`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kiosk.hookspecs import hookimpl
    from kiosk.tile import Stage, Tile

__all__ = ["Stage", "Tile", "hookimpl"]


def __getattr__(name: str) -> Any:
    # On demand, because the supervisor imports this package too and must be quick to start the screen.
    if name == "hookimpl":
        from kiosk.hookspecs import hookimpl

        return hookimpl
    if name in ("Stage", "Tile"):
        from kiosk import tile

        return getattr(tile, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
