"""A station that was claimed yesterday and has lost its network since: the kiosk shows its home at once."""

from pathlib import Path

from kiosk import claim
from tests.plugins.station_data import replicate

PROFILE = {
    "station": "test-01",
    "number": "ZL-018",
    "name": "织东路暖心驿站",
    "hours": "06:00–22:00",
    "manager_phone": "13800001234",
    "facilities": ["hot_water", "microwave", "charging"],
}


def claimed(data: Path) -> Path:
    """Credentials and a profile in the data directory, which is returned."""
    mqtt = claim.Mqtt(port=9, user="test-01", password="secret", host="127.0.0.1")
    claim.save(data, claim.Credentials("test-01", "token", mqtt, server="http://127.0.0.1:9"))
    replicate(data, "station.profile", "station", [PROFILE])
    return data
