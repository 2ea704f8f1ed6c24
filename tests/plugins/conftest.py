"""Settings of the plugins' tests."""

from hypothesis import settings

# Two cores are shared with windows and brokers in other tests: a slow example is no finding.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
