"""The screen: the only folder of the kiosk that imports Kivy."""
