"""Job posts for the demo: made up here, the same every time, dated around a day of one's choice.

`python assets/make_jobs.py` renews assets/sample/jobs.csv. Companies are inventions, telephone numbers are
in a range that is not given out.
"""

import csv
import random
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import date, timedelta
from pathlib import Path

SAMPLE = Path(__file__).parent / "sample" / "jobs.csv"
#: The day around which the committed sample is dated.
DAY = date(2026, 11, 21)
COUNT = 200
NEW_TODAY = 38
EXPIRED = 6

AREAS = ("镇中心", "东港路", "物流园", "北工业园", "南站片区", "河西", "湖滨", "开发区")
SHIFTS = ("day", "night", "rotating", "flexible")
KINDS = ("full_time", "part_time", "day")


@dataclass(frozen=True)
class Trade:
    """What a trade offers: job titles, kinds of company, pay from/to in yuan a month, what it is like."""

    share: int
    titles: tuple[str, ...]
    companies: tuple[str, ...]
    low: int
    high: int
    sentences: tuple[str, ...]


TRADES = {
    "delivery": Trade(
        22,
        ("外卖骑手", "午高峰骑手", "夜班骑手", "超市配送员", "药品配送员"),
        ("{area}外卖服务站", "{area}同城配送队", "{area}鲜果配送点"),
        5500,
        9500,
        ("按单算钱，每周结一次。", "站里提供电瓶车和头盔。", "新人有老骑手带三天。"),
    ),
    "courier": Trade(
        30,
        ("快递员", "夜班分拣员", "分拣员", "装卸工", "快递驿站店员", "扫描员"),
        ("{area}分拣中心", "{area}快递营业部", "{area}包裹转运站"),
        4800,
        8500,
        ("包住，有食堂。", "夜班有夜餐补贴。", "干满一个月有全勤奖。"),
    ),
    "sanitation": Trade(
        16,
        ("道路保洁员", "垃圾分类督导员", "绿化工", "公厕保洁员", "洒水车司机"),
        ("{area}环卫所", "{area}保洁服务队", "{area}绿化养护队"),
        3200,
        5200,
        ("缴五险。", "年龄可以放宽。", "上午四点半到十点，下午休息。"),
    ),
    "trucker": Trade(
        20,
        ("重卡司机", "C1 货车司机", "叉车司机", "冷链车司机", "城配货车司机", "押运员"),
        ("{area}货运车队", "{area}冷链运输队", "{area}零担专线"),
        7000,
        12500,
        ("公司给车，油费公司出。", "当天来回，不跑长途。", "跑固定线路，周日休息。"),
    ),
    "ride_hailing": Trade(
        10,
        ("网约车司机", "夜班网约车司机", "企业班车司机", "代驾司机"),
        ("{area}出行车队", "{area}租赁车行"),
        6000,
        10500,
        ("双证可以帮办。", "新能源车，充电有补贴。", "班次自己选。"),
    ),
    "security": Trade(
        16,
        ("保安", "夜班保安", "停车场管理员", "消防监控员"),
        ("{area}物业服务处", "{area}园区保安队"),
        3600,
        5600,
        ("包吃住。", "上一天休一天。", "有消防证的优先。"),
    ),
    "kitchen": Trade(
        22,
        ("厨师", "面点师傅", "切配工", "洗碗工", "服务员", "早餐店帮工"),
        ("{area}职工食堂", "{area}小吃店", "{area}中央厨房"),
        3500,
        8000,
        ("包吃，工资月底发。", "两头班，下午休息三小时。", "有健康证就能上岗。"),
    ),
    "factory": Trade(
        36,
        ("缝纫工", "裁剪工", "包装工", "质检员", "整烫工", "普工", "机修工"),
        ("{area}第三童装厂", "{area}针织厂", "{area}服装厂", "{area}家纺厂"),
        4500,
        9000,
        ("计件，多做多得。", "车间有空调。", "没做过的，厂里教。", "夫妻工有夫妻房。"),
    ),
    "office": Trade(
        12,
        ("仓库文员", "客服", "跟单员", "出纳", "打单员"),
        ("{area}电商园服务处", "{area}供应链公司"),
        4000,
        6500,
        ("会用电脑表格就行。", "双休，缴五险一金。"),
    ),
    "other": Trade(
        16,
        ("搬家工", "水电工", "空调清洗工", "家电维修工", "楼道刷漆工"),
        ("{area}家政服务社", "{area}便民维修部"),
        4500,
        9800,
        ("按天结算。", "可以先试工一天。", "新人有师傅带。"),
    ),
}


@dataclass(frozen=True)
class Post:
    """One row: the fields of the collection jobs.posts, in its order."""

    job_id: str
    title: str
    company: str
    trade: str
    area: str
    pay_min: int
    pay_max: int
    shift: str
    kind: str
    posted: date
    expires: date
    phone: str
    detail: str


def posts(today: date) -> Iterator[Post]:
    """All posts, dated around `today`: some new today, most still open for weeks, a few just expired."""
    chance = random.Random("yizhan jobs")
    trades = [name for name, trade in TRADES.items() for _ in range(trade.share)]
    chance.shuffle(trades)
    for number, name in enumerate(trades, 1):
        trade, area = TRADES[name], chance.choice(AREAS)
        title = chance.choice(trade.titles)
        low = chance.randrange(trade.low, (trade.low + trade.high) // 2, 100)
        high = low + chance.randrange(600, max(700, trade.high - low), 100)
        shift = "night" if title.startswith("夜班") else chance.choices(SHIFTS, (6, 1, 3, 2))[0]
        age = 0 if number <= NEW_TODAY else chance.randint(1, 25)
        left = -chance.randint(1, 5) if number > COUNT - EXPIRED else chance.randint(3, 45)
        sentences = chance.sample(trade.sentences, 2)
        yield Post(
            job_id=f"J{number:03}",
            title=title,
            company=chance.choice(trade.companies).format(area=area),
            trade=name,
            area=area,
            pay_min=low,
            pay_max=high,
            shift=shift,
            kind=chance.choices(KINDS, (8, 2, 2))[0],
            posted=today - timedelta(days=max(age, 1 - left if left < 0 else 0)),
            expires=today + timedelta(days=left),
            phone=f"0572-{chance.randint(100, 999):07}",
            detail="".join(sentences),
        )


def write(path: Path, today: date) -> None:
    """Write the posts as CSV (UTF-8, a header line), dated around `today`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(field.name for field in fields(Post))
        sheet.writerows(astuple(post) for post in posts(today))


if __name__ == "__main__":
    given = sys.argv[1:]
    write(Path(given[0]) if given else SAMPLE, date.fromisoformat(given[1]) if given[1:] else DAY)
