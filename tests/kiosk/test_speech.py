"""Reading aloud: how words and figures are read, and that a real sound comes of it."""

import os
import wave
from array import array

import pytest

from kiosk.speech import Speech, SpeechError, pinyin, spell_numbers, ssml


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("银行", "yin2 hang2"),
        ("重庆", "chong2 qing4"),
        ("行走", "xing2 zou3"),
        ("重要", "zhong4 yao4"),
        ("法律援助", "fa3 lv4 yuan2 zhu4"),
        ("歇歇脚，喝口水。", "xie1 xie1 jiao3 , he1 kou3 shui3 ."),
        ("", ""),
        ("！！", ""),
    ],
)
def test_characters_are_read_by_the_phrase_they_stand_in(text, read):
    assert pinyin(text) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10:40", "十点四十分"),
        ("14:05", "十四点零五分"),
        ("06:00–22:00", "六点到二十二点"),
        ("38 人", "三十八人"),
        ("105", "一百零五"),
        ("10050元", "一万零五十元"),
        ("6000-8000元", "六千到八千元"),
        ("3.5%", "百分之三点五"),
        ("2026年11月21日", "二零二六年十一月二十一日"),
        ("2026-03-05", "二零二六年三月五日"),
        ("取号码 48213", "取号码 四八二幺三"),
        ("打12333", "打幺二三三三"),
        ("ZL-018", "ZL-零幺八"),
    ],
)
def test_figures_are_read_as_they_are_spoken(text, said):
    assert spell_numbers(text) == said


def test_each_part_is_read_by_a_voice_of_its_language():
    assert ssml("扫码下载 App", "zh") == (
        '<speak><voice name="cmn-latn-pinyin">sao3 ma3 xia4 zai4</voice> <voice name="en">App</voice></speak>'
    )
    assert '<voice name="cmn-latn-pinyin">zheng4 ce4 jie3 du2' in ssml("Now on: 政策解读", "en")


def test_a_text_cannot_write_markup():
    assert "<break" not in ssml('<break time="9s"/>', "en")


@pytest.mark.parametrize(("text", "language"), [("法律援助，余 3 个号。", "zh"), ("Find work", "en")])
def test_a_wav_with_sound_in_it_is_made(tmp_path, text, language):
    with wave.open(str(Speech(tmp_path).clip(text, language))) as sound:
        samples = array("h", sound.readframes(sound.getnframes()))
        assert sound.getnframes() / sound.getframerate() > 0.5
    assert max(samples) > 3000


def test_the_same_text_is_made_once(tmp_path):
    speech = Speech(tmp_path)
    first = speech.clip("你好")
    made = first.stat().st_mtime_ns
    os.utime(first, ns=(made - 10**12, made - 10**12))
    assert speech.clip("你好") == first
    assert len(list(tmp_path.iterdir())) == 1
    # It counts as used now, so that it is not the first to go.
    assert first.stat().st_mtime_ns > made - 10**11


def test_the_cache_stays_within_its_size_and_the_oldest_goes_first(tmp_path):
    speech = Speech(tmp_path)
    old, new = speech.clip("第一句"), speech.clip("第二句")
    os.utime(old, (1, 1))
    speech.limit = new.stat().st_size + 1000
    last = speech.clip("三")
    assert not old.exists()
    assert last.exists()


def test_without_the_program_there_is_a_sentence_and_nothing_is_left_behind(tmp_path):
    with pytest.raises(SpeechError) as caught:
        Speech(tmp_path, program="no-such-program").clip("你好")
    assert caught.value.key == "core.speech_missing"
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_fails_is_named(tmp_path):
    with pytest.raises(SpeechError) as caught:
        Speech(tmp_path, program="false").clip("你好")
    assert caught.value.key == "core.speech_failed"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(SpeechError) as caught:
        Speech(blocked / "cache").clip("你好")
    assert caught.value.key == "core.speech_no_room"


def test_loading_it_does_not_load_the_dictionary():
    import subprocess
    import sys

    code = "import sys, kiosk.speech; sys.exit('pypinyin' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
