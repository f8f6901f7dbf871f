"""What the collected facts want said: help, warnings, notices and the way in, in Chinese and in English."""

from datetime import date
from typing import Any

import pytest

from tests.doors.family import view
from tests.doors.town import Town

Asked = dict[str, str]
ASKED: dict[str, Asked] = {
    "national": {"region": "110100"},
    "changshu": {"region": "320581"},
    "guangdong": {"product": "account_sharing", "region": "440100"},
    "display": {"product": "code_display", "region": "440100"},
    "jiangsu": {"product": "account_sharing", "region": "320100", "channel": "jiangsu_yibaoyun"},
}


def cases(*rows: tuple[str, str, str]) -> list[Any]:
    """What is looked for, under which law (a name of `ASKED`), and the words that it must hold, parted by spaces."""
    return [pytest.param(name, ASKED[law], words.split(), id=f"{name}-{law}") for name, law, words in rows]


@pytest.mark.parametrize(
    ("topic", "asked", "words"),
    cases(
        ("product", "national", "两种不同的业务 只是代为出示家人本人的医保码 另行办理家庭共济授权"),
        ("purpose", "national", "老人、孩子 没有智能手机 自己的手机 无须另带实体卡"),
        ("purpose", "changshu", "老人、孩子"),
        ("settlement", "national", "不改变家人原有的就医结算方式 其本人的医保账户 没有资金往来"),
        ("sharing", "national", "配偶、父母、子女 个人负担 统筹基金不能共济 北京 备案"),
        ("papers", "national", "户口簿 承诺书 出生医学证明 系统查询"),
        ("show_code", "national", "我的家庭成员 医疗健康 刷医保 切换家人 医保电子凭证 医保亲情账户"),
        ("show_code", "changshu", "我的家庭成员 切换家人"),
        ("expenses", "changshu", "年度医疗费用 个税大病"),
        ("records", "national", "挂号、缴费、就诊、购药 使用记录 国家医保服务平台"),
        ("balance", "national", "余额 国家医保局公众号 城市服务 电子社保卡由其他部门提供"),
        ("face_why", "national", "个人隐私 账户安全 本人授权"),
        ("face_retry", "national", "网络、光线 稍后再试"),
        ("offline", "national", "24小时 家人不在身边 窗口 无须等待"),
        ("accuracy", "national", "准确无误 使用和报销"),
        ("safety", "national", "密码 不安全的网络"),
        ("scope", "national", "定点医疗机构和定点药店 参保地规定"),
        ("change", "national", "姓名、证件号码 及时更新"),
        ("activation", "national", "绑定不等于激活 医保码线下激活 两项服务"),
        ("ask_agency", "national", "是否已开通 经办机构"),
        ("progress", "guangdong", "地市医保经办机构审核 办理事项"),
        ("letter", "guangdong", "承诺书（样式） 授权人 使用人 签名 日期"),
        ("letter", "national", "个人承诺书（样式） 绑定人 家庭成员 签名 日期"),
        ("letter", "jiangsu", "家庭关系承诺书（样式） 授权人 签名 日期"),
        ("basis", "guangdong", "门诊共济保障实施办法"),
        ("ways", "guangdong", "缴费 各地公布 参保地另有使用方式"),
        ("show_code", "display", "审核通过 支付宝 亲情账户 使用人 绑定授权人"),
        ("product", "guangdong", "只差一字 授权人 使用人 个人账户"),
        ("product", "jiangsu", "两种不同的业务 使用本人的个人账户资金 请办理医保亲情账户"),
        ("product", "display", "出示授权人的医保电子凭证 授权人的个人账户支付"),
        ("papers", "guangdong", "双方身份证件 户口本首页和常住登记页 承诺书"),
        ("papers", "changshu", "16周岁及以下 户口页 之一 系统查询"),
        ("face_why", "display", "授权人的医保码 账户安全 本人授权"),
        ("spending", "jiangsu", "药品、医疗器械、医用耗材 居民医保、商业保险"),
        ("counter", "jiangsu", "江苏医保云 窗口"),
    ),
)
def test_help(town: Town, topic: str, asked: Asked, words: list[str]) -> None:
    said = town.told(**asked)["help"][topic]
    assert [word for word in words if word not in said] == []
    english = town.told(language="en", **asked)["help"][topic]
    assert len(english) > 40
    assert english != said


@pytest.mark.parametrize("law", ["guangdong", "jiangsu"])
def test_sharing_is_not_told_what_is_true_of_family_accounts_only(town: Town, law: str) -> None:
    told = town.told(**ASKED[law])["help"]
    assert not {"purpose", "settlement", "show_code", "expenses", "balance", "activation"} & told.keys()
    assert not {"face_why", "face_retry"} & told.keys()  # nor is a face asked
    assert "另行办理家庭共济" not in " ".join(told.values())  # it is what is applied for
    assert "“出生医学证明”绑定方式" not in told["papers"]


@pytest.mark.parametrize(
    ("law", "words"),
    [
        ("national", "必须出示就诊人本人的 不能出示其他人的 出借医保凭证 骗取医疗保障基金"),
        ("guangdong", "由个人负担的 仅限本统筹区 骗取医疗保障基金"),
        ("display", "使用人本人就医购药 骗取医疗保障基金"),
        ("jiangsu", "就诊人本人的 统筹基金不能共济 骗取医疗保障基金"),
    ],
    ids=["national", "guangdong", "display", "jiangsu"],
)
def test_care_warning(town: Town, law: str, words: str) -> None:
    said = town.told(**ASKED[law])["care_warning"]
    assert [word for word in words.split() if word not in said] == []
    assert "fraud on the fund" in town.told(language="en", **ASKED[law])["care_warning"]


@pytest.mark.parametrize(
    ("notice", "asked", "words"),
    cases(
        (
            "adding_member",
            "national",
            "挂号、缴费、买药、结算 代其申领和激活 年度医疗费用 您的个人账户资金不会被使用 另行办理家庭共济 真实准确",
        ),
        ("adding_member", "changshu", "自己的手机上出示该成员本人的医保电子凭证 该成员本人的医保账户"),
        ("identity_check", "national", "身份 参保"),
        ("face", "national", "个人隐私 账户安全 本人刷脸确认授权 可以不同意刷脸 窗口"),
        (
            "reminder",
            "guangdong",
            "自愿 配偶、父母、子女 不影响授权人本人 正常参保 定点零售药店 跨省异地就医暂不能使用 授权人和使用人均可",
        ),
        ("authorisation", "display", "同意授权告知 展示授权人的医保电子凭证 代扣 可以随时解除"),
        ("sharing", "jiangsu", "仍须出示本人的 现金支付的部分 授权人的医保个人账户 统筹基金 江苏省内参保 非终止参保"),
    ),
)
def test_notices(town: Town, notice: str, asked: Asked, words: list[str]) -> None:
    said = {one["notice"]: one["text"] for one in town.told(**asked)["notices"]}[notice]
    assert [word for word in words if word not in said] == []
    assert notice in {one["notice"] for one in town.told(language="en", **asked)["notices"]}


@pytest.mark.parametrize(
    ("channel", "asked", "words"),
    cases(
        ("national_app", "national", "国家医保服务平台 我的 我的家庭成员"),
        ("alipay", "national", "支付宝 医保亲情账户"),
        ("wechat", "national", "我的医保凭证 医保电子凭证"),
        ("nhsa_oa", "national", "国家医保局公众号 医保服务 亲情账户"),
        ("jiangsu_yibaoyun", "changshu", "我的亲情账户 我的家庭成员"),
        ("suzhou_yibao_oa", "changshu", "苏州医保公众号 医保电子凭证 医保亲情支付"),
        ("yueyibao_alipay", "guangdong", "支付宝 粤医保 业务办理 亲情账号绑定"),
        ("yueyibao_wechat", "guangdong", "微信 粤医保 亲情账号绑定/解绑"),
        ("alipay", "display", "精选服务 医保亲情账户 绑定医保亲情账户"),
        ("jiangsu_yibaoyun", "jiangsu", "江苏医保云 家庭共济"),
    ),
)
def test_the_way_in(town: Town, channel: str, asked: Asked, words: list[str]) -> None:
    entries = {one["channel"]: one for one in town.told(**asked)["entries"]}
    assert [word for word in words if word not in entries[channel]["entry"]] == []
    assert date.fromisoformat(entries[channel]["as_of"]) <= town.today()


@pytest.mark.parametrize(
    ("law", "name"),
    [("national", "医保亲情账户"), ("guangdong", "亲情账号"), ("jiangsu", "家庭共济"), ("display", "展码代扣")],
    ids=["national", "guangdong", "jiangsu", "display"],
)
def test_products_by_their_names(town: Town, law: str, name: str) -> None:
    assert name in town.told(**ASKED[law])["boundaries"]["title"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"region": "440100", "channel": "yueyibao_alipay"}, "另一项业务"),
        ({"product": "account_sharing", "region": "440300"}, "咨询当地经办机构"),
    ],
    ids=["wrong_product", "channel_unknown"],
)
def test_a_refusal_says_where_to_go(town: Town, asked: Asked, words: str) -> None:
    assert words in view(town.asked(**asked))["detail"]
