"""Makes the sample programme's sounds and picture anew: `python assets/make_media.py`.

Needs ffmpeg and espeak-ng. Everything is computed here; nothing is taken from elsewhere. The files are
committed, so this runs only when they shall change; then put the printed lengths into programme.csv.
"""

import array
import math
import subprocess
import tempfile
import wave
from collections.abc import Iterable
from pathlib import Path

from kiosk.speech import Speech

OUT = Path(__file__).parent / "sample" / "media"
RATE = 24_000

HEAT = (
    "工友们好，这里是工友广播。天气热，干活记住三件事。第一，多喝水，一次少喝一点，多喝几次。"
    "第二，中午最热的时候，能歇就歇，到驿站里来凉快凉快。"
    "第三，头晕、恶心、心慌，马上停下来，到阴凉的地方去，叫身边的人帮忙。"
)
WAGES = (
    "工友们好，这里是政策解读。干了活，工钱要按月发，发到你自己手上。平时留好四样东西，"
    "合同、考勤、工资条、聊天记录。工钱拖着不发，先打12333问一问，也可以在驿站的屏幕上约一位律师，不要钱。"
)

#: Bell notes: (beat at which it is struck, semitones above C4), on a five-note scale.
AFTERNOON = [
    *((0, 0), (1, 4), (2, 7), (3, 9), (4, 12), (6, 9), (7, 7), (8, 4), (10, 2), (11, 4), (12, 7)),
    *((14, 9), (15, 7), (16, 12), (18, 14), (19, 12), (20, 9), (22, 7), (23, 4), (24, 2), (26, 4)),
    *((27, 2), (28, 0), (30, 7), (31, 9), (32, 12), (34, 9), (35, 7), (36, 4), (38, 2), (39, 0), (40, 0)),
]
MORNING = [
    *((0, 7), (2, 9), (4, 12), (5, 9), (6, 7), (8, 4), (10, 7), (12, 9), (14, 14), (16, 12), (18, 9)),
    *((20, 7), (22, 4), (24, 2), (26, 4), (28, 7), (30, 9), (32, 12), (34, 12)),
]
CALL = [(0, 7), (1, 12)]


def bells(notes: Iterable[tuple[float, int]], beat: float, seconds: float) -> "array.array[int]":
    """The melody as 16-bit samples."""
    out = [0.0] * int(RATE * seconds)
    for at, tone in notes:
        pitch = 261.63 * 2 ** (tone / 12)
        first = int(at * beat * RATE)
        for index in range(min(int(1.8 * RATE), len(out) - first)):
            time = index / RATE
            fade = math.exp(-3.2 * time) * min(1.0, time * 80)
            wave_at = math.sin(math.tau * pitch * time) + 0.3 * math.sin(math.tau * pitch * 2.01 * time)
            out[first + index] += fade * wave_at
    loudest = max(abs(value) for value in out) or 1.0
    return array.array("h", (int(value / loudest * 22_000) for value in out))


def write_wav(file: Path, samples: "array.array[int]") -> None:
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)


def sound(name: str, wavs: list[Path], rate: str) -> None:
    """The wavs one after the other as Opus."""
    inputs = [part for wav in wavs for part in ("-i", str(wav))]
    streams = "".join(f"[{index}:a]aresample=48000,apad=pad_dur=0.5[a{index}];" for index in range(len(wavs)))
    joined = "".join(f"[a{index}]" for index in range(len(wavs)))
    ffmpeg(
        *inputs,
        *("-filter_complex", f"{streams}{joined}concat=n={len(wavs)}:v=0:a=1[out]", "-map", "[out]"),
        *("-c:a", "libopus", "-b:a", rate, "-ac", "1", "-map_metadata", "-1", str(OUT / name)),
    )


def dawn(melody: Path, seconds: int) -> None:
    """A street at dawn: the sun comes up behind houses, windows light up, somebody rides to work."""
    light = f"(T/{seconds})"
    disc = f"clip(36-hypot(X-210,Y-(150-95*{light})),0,1)"
    glow = f"exp(-hypot(X-210,Y-(150-95*{light}))/70)"
    sky = (
        f"geq=r='clip(40+150*{light}*(Y/180)+80*{glow}+255*{disc},0,255)'"
        f":g='clip(30+90*{light}*(Y/180)+45*{glow}+170*{disc},0,255)'"
        f":b='clip(60+50*{light}+10*{glow}-40*{disc},0,255)'"
    )
    houses = [(0, 190, 90, 110), (80, 230, 70, 70), (150, 170, 95, 130), (245, 215, 80, 85)]
    houses += [(330, 180, 70, 120), (410, 205, 110, 95), (520, 160, 80, 140), (590, 220, 60, 80)]
    boxes = [f"drawbox=x={x}:y={y}:w={w}:h={h}:color=0x2A1A2E:t=fill" for x, y, w, h in houses]
    windows = [
        f"drawbox=x={x + 14 + 26 * (k % 2)}:y={y + 16 + 28 * (k // 2)}:w=12:h=14:color=0xFFD34D:t=fill"
        f":enable='gt(t,{1 + (x // 37 + 5 * k) % 17})'"
        for x, y, w, h in houses
        for k in range(4)
    ]
    road = "drawbox=x=0:y=300:w=640:h=60:color=0x1B1418:t=fill"
    lane = [f"drawbox=x={x}:y=328:w=40:h=4:color=0x75675B:t=fill" for x in range(10, 640, 80)]
    graph = (
        f"nullsrc=s=320x180:r=15:d={seconds},format=gbrp,{sky},scale=640:360:flags=bicubic,format=yuv420p,"
        + ",".join([*boxes, *windows, road, *lane])
        + f"[street];color=c=0xFFD34D:s=14x10:r=15:d={seconds}[lamp];"
        f"color=c=0xC8402A:s=46x22:r=15:d={seconds}[box];[street][box]overlay=x='mod(t*46,720)-60':y=296[ride];"
        "[ride][lamp]overlay=x='mod(t*46,720)-12':y=306[v]"
    )
    ffmpeg(
        *("-i", str(melody), "-filter_complex", graph, "-map", "[v]", "-map", "0:a", "-t", str(seconds)),
        *("-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "40", "-row-mt", "1", "-c:a", "libopus", "-b:a", "40k"),
        *("-map_metadata", "-1", str(OUT / "dawn.webm")),
    )


def main() -> None:
    """Make all files and print their lengths."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        speech = Speech(folder / "speech")
        write_wav(folder / "call.wav", bells(CALL, 0.35, 1.8))
        write_wav(folder / "afternoon.wav", bells(AFTERNOON, 0.55, 24.0))
        write_wav(folder / "morning.wav", bells(MORNING, 0.6, 23.0))
        sound("afternoon.ogg", [folder / "afternoon.wav"], "40k")
        sound("heat.ogg", [folder / "call.wav", speech.clip(HEAT)], "28k")
        sound("wages.ogg", [folder / "call.wav", speech.clip(WAGES)], "28k")
        dawn(folder / "morning.wav", 22)
    for file in sorted(OUT.iterdir()):
        probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(file)]
        length = subprocess.run(probe, check=True, capture_output=True, text=True).stdout.strip()
        print(f"{file.name}: {float(length):.1f} s, {file.stat().st_size // 1024} KiB")  # noqa: T201


if __name__ == "__main__":
    main()
