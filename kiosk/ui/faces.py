"""What the home screen shows, asked from the plugins: memory only, so it may be asked often."""

from typing import TYPE_CHECKING

from kiosk.tile import Stage, Tile
from kiosk.ui.tile_view import TileFace
from kiosk.ui.words import Words

if TYPE_CHECKING:
    from kiosk.plugin_host import Loaded, PluginHost


class Faces:
    """Keeps each plugin's face until it is asked again."""

    def __init__(self, host: "PluginHost", words: Words) -> None:
        self._host = host
        self._words = words
        self._faces: dict[str, TileFace] = {}

    def ask(self, plugin: str = "") -> None:
        """Call the `tile` hook of one plugin, or of all."""
        for loaded in self._host.plugins:
            if plugin in ("", loaded.manifest.id):
                self._faces[loaded.manifest.id] = self._face(loaded)

    def tiles(self) -> tuple[TileFace | None, list[TileFace]]:
        """The face of the primary tile and those of all others, in order."""
        primary: TileFace | None = None
        others = []
        for loaded in self._host.plugins:
            face = self._faces.get(loaded.manifest.id) or self._face(loaded)
            if loaded.manifest.primary and primary is None:
                primary = face
            else:
                others.append(face)
        return primary, others

    def stage(self) -> Stage | None:
        """What the first plugin with something to show puts on the stage."""
        for loaded in self._host.plugins:
            if self._host.implements(loaded.manifest.id, "stage"):
                stage = self._host.call(loaded.manifest.id, "stage")
                if isinstance(stage, Stage):
                    return stage
        return None

    def _face(self, loaded: "Loaded") -> TileFace:
        manifest, language = loaded.manifest, self._words.language
        tile = self._host.call(manifest.id, "tile")
        if not isinstance(tile, Tile):
            tile = Tile()
        failed = loaded.failed is not None
        return TileFace(
            plugin=manifest.id,
            title=str(manifest.title.get(language) or manifest.id),  # type: ignore[call-overload]
            icon=manifest.icon,
            colour=manifest.colour,
            live=self._words("out_of_order")
            if failed
            else tile.live or str(manifest.subtitle.get(language, "")),  # type: ignore[call-overload]
            number="" if failed or tile.number is None else str(tile.number),
            caption=tile.caption,
            failed=failed,
        )
