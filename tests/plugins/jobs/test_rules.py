"""Which posts are shown, in what order, and what finds them."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.jobs import rules
from plugins.jobs.rules import Post, Query

TODAY = date(2026, 11, 21)
ROW = {
    "job_id": "J001",
    "title": "夜班分拣员",
    "company": "东港路分拣中心",
    "trade": "courier",
    "area": "物流园",
    "pay_min": 5200,
    "pay_max": 6800,
    "shift": "night",
    "kind": "full_time",
    "posted": "2026-11-20",
    "expires": "2026-12-20",
    "phone": "0572-0000123",
    "detail": "包吃住",
}

posts = st.lists(
    st.builds(
        Post,
        job_id=st.integers(0, 999).map("J{:03}".format),
        title=st.text("分拣员司机保安厨师长Cc1 ", min_size=1, max_size=8),
        company=st.sampled_from(["东港路分拣中心", "北园食堂", ""]),
        trade=st.sampled_from(["courier", "kitchen", "other"]),
        area=st.sampled_from(["物流园", "镇中心", "河西"]),
        posted=st.integers(-40, 3).map(lambda n: TODAY + timedelta(days=n)),
        expires=st.integers(-5, 40).map(lambda n: TODAY + timedelta(days=n)),
    ),
    max_size=20,
    unique_by=lambda post: post.job_id,
)
queries = st.builds(
    Query,
    trade=st.sampled_from(["", "courier", "kitchen"]),
    area=st.sampled_from(["", "物流园", "河西"]),
    words=st.text("分拣员物流sjwulygc1 ", max_size=5),
)


def test_a_row_of_the_replica_becomes_a_post() -> None:
    post = rules.read(ROW)
    assert post is not None
    assert (post.posted, post.expires) == (date(2026, 11, 20), date(2026, 12, 20))
    assert (post.pay_min, post.pay_max, post.shift) == (5200, 6800, "night")


@pytest.mark.parametrize(
    "broken", [{"posted": "yesterday"}, {"expires": None}, {"title": " "}, {"job_id": ""}]
)
def test_a_row_without_what_must_be_told_is_left_out(broken: dict[str, object]) -> None:
    assert rules.read({**ROW, **broken}) is None


def test_missing_extras_are_no_reason_to_hide_a_post() -> None:
    post = rules.read({**ROW, "pay_min": None, "pay_max": "", "phone": None, "detail": None})
    assert post is not None
    assert rules.pay(post).key == "pay_unsaid"


@given(posts)
def test_no_expired_post_is_ever_shown_and_no_open_one_hidden(given_posts: list[Post]) -> None:
    shown = rules.current(given_posts, TODAY)
    assert {post.job_id for post in shown} == {p.job_id for p in given_posts if p.expires >= TODAY}
    assert all(a.posted >= b.posted for a, b in pairwise(shown))


@given(posts, st.randoms())
def test_the_order_does_not_depend_on_how_the_posts_came(given_posts: list[Post], chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(given_posts)
    chance.shuffle(shuffled)
    assert rules.current(shuffled, TODAY) == rules.current(given_posts, TODAY)


@given(posts, queries)
def test_every_result_fits_and_none_that_fits_is_missing(given_posts: list[Post], query: Query) -> None:
    said = rules.index(given_posts)
    found = rules.search(given_posts, query, said)
    for post in given_posts:
        filters = query.trade in ("", post.trade) and query.area in ("", post.area)
        written = all(word in rules.searched_text(post).lower() for word in query.words.split())
        if post in found:
            assert filters
            assert written or any(word.isascii() for word in query.words.split())
        else:
            assert not (filters and written)
    assert list(found) == [post for post in given_posts if post in found]


@given(posts, queries)
def test_more_words_never_find_more(given_posts: list[Post], query: Query) -> None:
    said = rules.index(given_posts)
    wider = rules.search(given_posts, Query(query.trade, query.area), said)
    assert set(rules.search(given_posts, query, said)) <= set(wider)


@pytest.mark.parametrize(
    "letters", ["fjy", "fenjian", "fenjy", "fjianyuan", "yb", "yeban", "dgl", "fenj", "wly", "wuliuyuan"]
)
def test_pinyin_finds_by_initials_by_syllables_and_by_both(letters: str) -> None:
    post = rules.read(ROW)
    assert post is not None
    assert rules.search([post], Query(words=letters), rules.index([post])) == (post,)


@pytest.mark.parametrize("letters", ["fy", "xyz", "fenz", "fjyd", "zx0", "yuandong"])
def test_pinyin_skips_no_letter_and_no_end_of_word(letters: str) -> None:
    post = rules.read(ROW)
    assert post is not None
    assert rules.search([post], Query(words=letters), rules.index([post])) == ()


@pytest.mark.parametrize(
    ("title", "letters"),
    [
        ("长兴货运", "chang"),
        ("店长", "dz"),
        ("银行保安", "yh"),
        ("重卡司机", "zksj"),
        ("绿化工", "luhua"),
        ("绿化工", "lvhua"),
        ("C1 驾驶员", "c1"),
        ("装卸工(夜班)", "gongyb"),
        ("厨师", "chshi"),
    ],
)
def test_all_readings_of_a_letter_find_it(title: str, letters: str) -> None:
    assert rules.sounds_like(letters, rules.sounds(title))


@given(st.text("司机员工厨师长行重", min_size=1, max_size=8), st.data())
def test_any_beginning_of_the_first_reading_finds_the_text(text: str, data: st.DataObject) -> None:
    said = rules.sounds(text)
    whole = "".join(readings[0] for readings in said if readings)
    initials = "".join(readings[0][0] for readings in said if readings)
    cut = data.draw(st.integers(1, len(whole)))
    assert rules.sounds_like(whole[:cut], said)
    assert rules.sounds_like(initials, said)


def test_until_the_index_is_there_letters_find_only_what_is_written() -> None:
    post = rules.read({**ROW, "title": "C1驾驶员"})
    assert post is not None
    assert rules.search([post], Query(words="C1"), {}) == (post,)
    assert rules.search([post], Query(words="jsy"), {}) == ()


def test_choices_offer_all_first_and_then_the_most_frequent() -> None:
    offered = rules.choices(["物流园", "河西", "物流园", ""])
    assert [(each.value, each.count) for each in offered] == [("", 3), ("物流园", 2), ("河西", 1)]


@given(st.lists(st.integers(), max_size=50), st.integers(1, 7))
def test_the_pages_together_are_everything_once(items: list[int], size: int) -> None:
    shown = [item for n in range(rules.pages(len(items), size)) for item in rules.page(items, n, size)]
    assert shown == items


@given(st.lists(st.integers(), min_size=1, max_size=50), st.integers(1, 7), st.integers(-3, 99))
def test_a_page_beyond_the_end_is_the_last_one(items: list[int], size: int, number: int) -> None:
    assert rules.page(items, number, size)


@pytest.mark.parametrize(
    ("days", "key"),
    [(0, "posted_today"), (1, "posted_yesterday"), (2, "posted_days"), (31, "posted_on"), (-2, "posted_on")],
)
def test_age_is_said_in_days_while_they_are_few(days: int, key: str) -> None:
    post = rules.read({**ROW, "posted": (TODAY - timedelta(days=days)).isoformat()})
    assert post is not None
    assert rules.age(post, TODAY).key == key
    assert rules.new_today([post], TODAY) == (days == 0)


@pytest.mark.parametrize(
    ("low", "high", "key"),
    [
        (5000, 6000, "pay_range"),
        (6000, 5000, "pay_range"),
        (5000, 5000, "pay_exact"),
        (0, 5000, "pay_exact"),
        (5000, 0, "pay_exact"),
    ],
)
def test_pay_is_said_as_far_as_it_is_known(low: int, high: int, key: str) -> None:
    post = rules.read({**ROW, "pay_min": low, "pay_max": high})
    assert post is not None
    assert rules.pay(post).key == key
