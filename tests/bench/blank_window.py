"""The arm to beat at start: a Kivy window with nothing in it. Prints one line at its first frame."""

from kivy.app import App
from kivy.clock import Clock
from kivy.config import Config
from kivy.uix.widget import Widget

Config.set("graphics", "width", "1080")
Config.set("graphics", "height", "1920")


class Blank(App):
    def build(self) -> Widget:
        from kivy.core.window import Window

        Window.bind(on_flip=self.first)
        return Widget()

    def first(self, *_: object) -> None:
        print("shown", flush=True)
        Clock.schedule_once(lambda _: self.stop(), 0)


Blank().run()
