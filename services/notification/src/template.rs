//! What is said, in every language: one file for each kind and language under
//! `templates/`, its first line the subject, the rest the text.
//!
//! `{name}` stands for a parameter of the notification. Which names a kind has
//! is the domain's ([`Kind::parameter_names`]); that every template keeps to
//! them is tested here, so rendering cannot fail.

use notification_domain::{Kind, Language};
use proto::notification::v1::Parameter;

/// Shown where a parameter has no value.
const MISSING: &str = "–";

/// A message in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub body: String,
}

/// Puts the values into the template.
#[must_use]
pub fn render(kind: Kind, language: Language, parameters: &[Parameter]) -> Rendered {
    let text = fill(template(kind, language), |name| {
        let value = parameters
            .iter()
            .find(|parameter| parameter.name == name)
            .map_or(MISSING, |parameter| parameter.value.as_str());
        if name == "reason" {
            reason(value, language)
        } else {
            value.to_owned()
        }
    });
    let (subject, body) = text.split_once('\n').unwrap_or((&text, ""));
    Rendered {
        subject: subject.trim().to_owned(),
        body: body.trim().to_owned(),
    }
}

const fn template(kind: Kind, language: Language) -> &'static str {
    use Language::{Chinese, English};
    macro_rules! file {
        ($name:literal) => {
            include_str!(concat!("../templates/", $name, ".txt"))
        };
    }
    match (kind, language) {
        (Kind::GoodsAtDoor, Chinese) => file!("goods_at_door.zh"),
        (Kind::GoodsAtDoor, English) => file!("goods_at_door.en"),
        (Kind::OrderRejected, Chinese) => file!("order_rejected.zh"),
        (Kind::OrderRejected, English) => file!("order_rejected.en"),
        (Kind::GroupBuyFailed, Chinese) => file!("group_buy_failed.zh"),
        (Kind::GroupBuyFailed, English) => file!("group_buy_failed.en"),
        (Kind::DeliveryFailed, Chinese) => file!("delivery_failed.zh"),
        (Kind::DeliveryFailed, English) => file!("delivery_failed.en"),
        (Kind::OrderPartiallyConfirmed, Chinese) => file!("order_partially_confirmed.zh"),
        (Kind::OrderPartiallyConfirmed, English) => file!("order_partially_confirmed.en"),
    }
}

/// Replaces each `{name}` once; a value is not looked into again.
fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text += before;
        match after.split_once('}') {
            Some((name, behind)) => {
                text += &value(name);
                rest = behind;
            }
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text + rest
}

/// A reason in words. What is not in the list is shown as the code that it is,
/// so that one can ask about it.
fn reason(code: &str, language: Language) -> String {
    let known = REASONS
        .iter()
        .find(|(listed, ..)| listed.eq_ignore_ascii_case(code));
    match (known, language) {
        (Some((_, chinese, _)), Language::Chinese) => (*chinese).to_owned(),
        (Some((.., english)), Language::English) => (*english).to_owned(),
        (None, Language::Chinese) => format!("其他原因（{code}）"),
        (None, Language::English) => format!("another reason ({code})"),
    }
}

/// Code, in Chinese, in English: the reasons of the order and inventory
/// services and the exception codes of the last leg.
const REASONS: &[(&str, &str, &str)] = &[
    ("OUT_OF_STOCK", "缺货", "out of stock"),
    ("PRODUCT_UNKNOWN", "商品不存在", "there is no such product"),
    (
        "CANCELLED_BY_OPERATOR",
        "已由工作人员取消",
        "cancelled by the staff",
    ),
    ("OTHER", "其他原因", "another reason"),
    ("UNREACHABLE", "联系不上您", "you could not be reached"),
    ("REFUSED", "物品被拒收", "the goods were refused"),
    (
        "ADDRESS_INCOMPLETE",
        "地址不完整",
        "the address is incomplete",
    ),
    (
        "WRONG_PHONE",
        "电话号码有误",
        "the telephone number is wrong",
    ),
    ("MISSORTED", "物品分拣有误", "the goods were sorted wrongly"),
    (
        "OUT_OF_AREA",
        "不在配送范围内",
        "the door is outside the area served",
    ),
    ("DAMAGED", "物品破损", "the goods were damaged"),
    ("SHORT", "物品缺少", "part of the goods was missing"),
    ("LOST", "物品遗失", "the goods were lost"),
    ("DELAYED", "配送延误", "the delivery was delayed"),
    ("CUSTOMER_CANCELLED", "您已取消", "you cancelled"),
    (
        "PICKUP_NOT_READY",
        "物品尚未备好",
        "the goods were not ready",
    ),
    (
        "CAPACITY_FAILURE",
        "人手或车辆不足",
        "there were too few hands or vehicles",
    ),
    ("UNCLAIMED", "物品无人领取", "nobody took the goods in"),
    ("PASS_INVALID", "通行证无效", "the pass was not valid"),
    ("CHECKPOINT_CLOSED", "卡点关闭", "the checkpoint was closed"),
    ("ZONE_SEALED", "所在区域已封控", "the zone is sealed"),
    (
        "DISINFECTION_PENDING",
        "物品待消毒",
        "the goods were not disinfected yet",
    ),
];

#[cfg(test)]
mod tests {
    use proto::logistics::v1::ExceptionCode;

    use super::*;

    fn placeholders(text: &str) -> Vec<&str> {
        text.split('{')
            .skip(1)
            .map(|part| part.split_once('}').expect("a closing brace").0)
            .collect()
    }

    fn values(kind: Kind) -> Vec<Parameter> {
        kind.parameter_names()
            .iter()
            .map(|name| Parameter {
                name: (*name).to_owned(),
                value: format!("<{name}>"),
            })
            .collect()
    }

    fn is_chinese(text: &str) -> bool {
        text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
    }

    #[test]
    fn every_kind_is_said_in_every_language_with_its_parameters_and_no_others() {
        for kind in Kind::ALL {
            for language in Language::ALL {
                let template = template(*kind, *language);
                let case = format!("{kind} in {}", language.tag());
                let used = placeholders(template);
                for name in &used {
                    assert!(kind.parameter_names().contains(name), "{case}: {{{name}}}");
                }
                for name in kind.parameter_names() {
                    assert!(used.contains(name), "{case} does not say {{{name}}}");
                }
                let rendered = render(*kind, *language, &values(*kind));
                assert!(
                    !rendered.subject.is_empty() && !rendered.body.is_empty(),
                    "{case}"
                );
                let whole = format!("{}{}", rendered.subject, rendered.body);
                assert!(
                    !whole.contains(['{', '}']) && !whole.contains(MISSING),
                    "{case}"
                );
                assert_eq!(
                    is_chinese(template),
                    *language == Language::Chinese,
                    "{case}"
                );
                assert!(rendered.subject.chars().count() <= 60, "{case}");
            }
        }
    }

    #[test]
    fn a_message_reads_as_its_template_has_it() {
        let parameters =
            [("order", "01J"), ("reason", "zone_sealed")].map(|(name, value)| Parameter {
                name: name.into(),
                value: value.into(),
            });
        let rendered = render(Kind::DeliveryFailed, Language::English, &parameters);
        assert_eq!(rendered.subject, "Your order could not be delivered");
        assert!(rendered.body.contains("order 01J"), "{}", rendered.body);
        assert!(
            rendered.body.contains("the zone is sealed"),
            "{}",
            rendered.body
        );
    }

    #[test]
    fn every_exception_code_has_words() {
        let codes = (1..).map_while(|n| ExceptionCode::try_from(n).ok());
        let mut seen = 0;
        for code in codes {
            let code = code.as_str_name().trim_start_matches("EXCEPTION_CODE_");
            seen += 1;
            assert!(REASONS.iter().any(|(listed, ..)| *listed == code), "{code}");
        }
        assert!(seen >= 18);
    }

    #[test]
    fn a_reason_without_words_is_shown_as_its_code() {
        assert_eq!(reason("NEW", Language::English), "another reason (NEW)");
        assert_eq!(reason("NEW", Language::Chinese), "其他原因（NEW）");
        assert_eq!(reason("out_of_stock", Language::Chinese), "缺货");
    }

    #[test]
    fn a_value_is_not_looked_into_again() {
        let twice = fill("{a} {b", |name| format!("{{{name}{name}}}"));
        assert_eq!(twice, "{aa} {b");
    }
}
